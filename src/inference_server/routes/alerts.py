"""The routes about alerts: thin; the alert book answers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, ParamSpec, TypeVar

from fastapi import APIRouter, Path, Query
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from alerting.book.filters import AlertQuery, Moment
from flows.dialects import DIALECTS
from inference_server.labels import MEDIA_TYPES, Format, labels_file
from inference_server.routes.alert_models import Alert, AlertInFull, Alerts, Label, Statistics, Top
from inference_server.routes.api_models import Problem
from inference_server.service import Service
from inference_server.web.api_keys import Role
from inference_server.web.auth import SECURITY
from inference_server.web.errors import BusyError, NotFoundError, UnprocessableError
from inference_server.web.responses import OrjsonResponse

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
PCAP: Final = "application/vnd.tcpdump.pcap"
MOST_HOURS: Final = 24 * 3660
DAY: Final = timedelta(days=1)
MAX_BUCKETS: Final = 1000
GUARDED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No accepted API key"},
    403: {"model": Problem, "description": "A key that does not allow this"},
    422: {"model": Problem, "description": "A parameter that is none; names it"},
    503: {"model": Problem, "description": "The alert book cannot be used at present (Retry-After)"},
}
OF_ONE: Final[dict[int | str, dict[str, Any]]] = GUARDED | {
    404: {"model": Problem, "description": "No such alert"}
}
Id = Annotated[str, Path(description="of the alert", min_length=1, max_length=64)]
Since = Annotated[Moment | None, Query(description="default: 24 hours before `until`")]
Until = Annotated[Moment | None, Query(description="default: now")]
logger = logging.getLogger(__name__)
router = APIRouter(dependencies=SECURITY)


@router.get("/api/alerts", response_model=Alerts, responses=GUARDED)
async def list_alerts(request: Request, query: Annotated[AlertQuery, Query()]) -> Response:
    """List alerts, the newest first; pages of one cursor after the other hold every alert once."""
    service = _allowed(request, Role.READ)
    page = await _read(service, service.alert_book.page, query)
    return OrjsonResponse({"alerts": page.alerts, "cursor": page.cursor})


@router.get("/api/alerts/top", response_model=Top, responses=GUARDED)
async def top_addresses(
    request: Request,
    since: Annotated[Moment | None, Query(description="default: 24 hours ago")] = None,
    n: Annotated[int, Query(ge=1, le=1000, description="how many at most")] = 10,
) -> Response:
    """Name the sources and the targets of most alerts that changed since a time."""
    service = _allowed(request, Role.READ)
    begin = since or datetime.now(UTC) - DAY
    sources = await _read(service, service.alert_book.top, "sources", begin, n)
    targets = await _read(service, service.alert_book.top, "targets", begin, n)
    return OrjsonResponse({"sources": sources, "targets": targets})


@router.get("/api/alerts/{alert_id}", response_model=AlertInFull, responses=OF_ONE)
async def get_alert(request: Request, alert_id: Id) -> Response:
    """Tell all that is known of an alert."""
    service = _allowed(request, Role.READ)
    found = _there(await _read(service, service.alert_book.get, alert_id), alert_id)
    evidence = f"/api/alerts/{found.summary['id']}/evidence" if found.evidence else None
    return OrjsonResponse({**found.summary, "eve": found.eve, "evidence": evidence})


@router.get(
    "/api/alerts/{alert_id}/evidence",
    response_class=FileResponse,
    responses=OF_ONE | {200: {"content": {PCAP: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_evidence(request: Request, alert_id: Id) -> Response:
    """Give the packets of an alert's first flows, as a pcap capture."""
    service = _allowed(request, Role.READ)
    found = _there(await _read(service, service.alert_book.get, alert_id), alert_id)
    if found.evidence is None:
        raise NotFoundError(
            f"alert {alert_id} has no evidence: its packets were not captured here, or not kept "
            "(EVIDENCE_MB, EVIDENCE_DISK_MB, KEEP_DAYS)"
        )
    return FileResponse(found.evidence, media_type=PCAP, filename=f"{found.summary['id']}.pcap")


@router.post("/api/alerts/{alert_id}/acknowledge", response_model=Alert, responses=OF_ONE)
async def acknowledge_alert(request: Request, alert_id: Id) -> Response:
    """Note that somebody saw an alert."""
    service, who = _caller(request)
    return OrjsonResponse(
        _there(await _read(service, service.alert_book.acknowledge, alert_id, who), alert_id)
    )


@router.post("/api/alerts/{alert_id}/label", response_model=Alert, responses=OF_ONE)
async def label_alert(request: Request, alert_id: Id, said: Label) -> Response:
    """Note what an alert's flow really was; the flow becomes training data, see `GET /api/labels`."""
    service, who = _caller(request)
    try:
        labelled = await _read(
            service, service.alert_book.label, alert_id, said.verdict, said.label, said.note, who
        )
    except ValueError as error:
        raise UnprocessableError(f"label: {error}") from None
    return OrjsonResponse(_there(labelled, alert_id))


@router.get(
    "/api/labels",
    response_class=Response,
    responses=GUARDED
    | {
        200: {
            "content": {
                name: {"schema": {"type": "string", "format": "binary"}} for name in MEDIA_TYPES.values()
            }
        }
    },
)
async def get_labels(
    request: Request,
    layout: Annotated[Format, Query(alias="format")] = "parquet",
    dialect: Annotated[
        str | None, Query(max_length=50, description="who measured the flows; default: the model's dialect")
    ] = None,
) -> Response:
    """Give the labelled flows with all their features: a file for `ml-ids evaluate` and `ml-ids train`."""
    service = _allowed(request, Role.READ)
    scorer = service.worker.scorer
    if dialect not in (None, *DIALECTS):
        raise UnprocessableError(f"dialect: there are {', '.join(DIALECTS)}")
    file = await _read(
        service,
        labels_file,
        service.alert_book,
        layout,
        dialect or (scorer.record.dialect if scorer else None),
    )
    headers = {
        "Content-Disposition": f'attachment; filename="labels.{layout}"',
        "X-Flows": str(file.flows),
        "X-Flows-Left-Out": str(file.left_out),
    }
    return Response(file.content, media_type=MEDIA_TYPES[layout], headers=headers)


@router.get("/api/statistics", response_model=Statistics, responses=GUARDED)
async def get_statistics(
    request: Request,
    since: Since = None,
    until: Until = None,
    buckets: Annotated[int, Query(ge=1, le=MAX_BUCKETS, description="parts of the time, equally long")] = 24,
) -> Response:
    """Count the alerts opened in a time, by class and severity, over time."""
    service = _allowed(request, Role.READ)
    end = until or datetime.now(UTC)
    begin = since or end - DAY
    if end - begin < timedelta(microseconds=buckets):
        raise UnprocessableError("since: is not before until: name an earlier time")
    return OrjsonResponse(await _read(service, service.alert_book.statistics, begin, end, buckets))


@router.get(
    "/api/blocklist",
    response_class=Response,
    responses=GUARDED
    | {
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "one network a line"},
        304: {"description": "As the ETag of If-None-Match says"},
    },
)
async def get_blocklist(
    request: Request,
    severity: Annotated[int, Query(ge=1, le=3, description="of alerts at least as bad as this")] = 1,
    hours: Annotated[
        float, Query(gt=0, le=MOST_HOURS, description="that changed so long ago at most")
    ] = 24.0,
    source: Annotated[
        list[str] | None,
        Query(
            max_length=10,
            description="who had the flows judged; default: sidecar, what this sensor captured. Whoever may "
            "send flows can name any address in them",
        ),
    ] = None,
) -> Response:
    """List the sources of recent alerts for a firewall; never OWN_NETWORKS, nor what a rule suppresses."""
    service = _allowed(request, Role.READ)
    networks = await _read(
        service, service.alert_book.blocklist, severity, timedelta(hours=hours), source or ["sidecar"]
    )
    text = "".join(f"{network}\n" for network in networks)
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(text, media_type="text/plain", headers=headers)


def _allowed(request: Request, role: Role) -> Service:
    service: Service = request.app.state.service
    service.keys.require(request, role)
    return service


def _caller(request: Request) -> tuple[Service, str | None]:
    service: Service = request.app.state.service
    return service, service.keys.require(request, Role.PREDICT)


async def _read(
    service: Service, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs
) -> ResultT:
    try:
        return await service.off_loop.run(function, *args, **kwargs)
    except (DBAPIError, OSError, TimeoutError) as error:
        logger.warning("the alert book: %s", error)
        raise BusyError("the alert book cannot be used at present; /health says why") from None


def _there(found: ResultT | None, alert_id: str) -> ResultT:
    if found is None:
        raise NotFoundError(f"no alert has the id {alert_id}")
    return found
