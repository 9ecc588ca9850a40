"""The HTTP routes: thin; what they answer is made elsewhere."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Security
from fastapi.security import APIKeyHeader, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from inference_server.api_models import (
    Health,
    Invocations,
    Message,
    Predictions,
    Problem,
    Ready,
    flows_request_body,
)
from inference_server.predict import EXPLAINED_FLOWS
from inference_server.request_body import read_body
from inference_server.responses import OrjsonResponse
from inference_server.service import Service

PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No accepted API key"},
    413: {"model": Problem, "description": "More than 10 MB, or 10,000 flows"},
    422: {"model": Problem, "description": "No flow the model can judge; says why"},
    503: {"model": Problem, "description": "No model serves yet, or the queue is full (Retry-After)"},
}
# For the document and its "Authorize" button; `KeyCheck` decides.
DOCUMENTED_KEYS: Final = [
    Security(APIKeyHeader(name="X-API-Key", auto_error=False)),
    Security(HTTPBearer(auto_error=False)),
]
router = APIRouter()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _named(dialect: str | None) -> str | None:
    return (dialect or "").strip().lower() or None


@router.get("/", response_model=Message)
async def root() -> Response:
    """Say that the server runs."""
    return OrjsonResponse({"message": "Inference server is running."})


@router.get("/health", response_model=Health)
async def health(request: Request) -> Response:
    """Tell the state of every part, and what is wrong; always 200."""
    return OrjsonResponse(_service(request).health())


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready}})
async def ready(request: Request) -> Response:
    """Answer 200 once a model serves and an enabled capture runs, 503 before."""
    missing = _service(request).missing()
    body = {"ready": not missing, "missing": missing}
    return OrjsonResponse(body, status_code=503 if missing else 200)


@router.post(
    "/predict",
    response_model=Predictions,
    responses=PROBLEMS,
    openapi_extra={"requestBody": flows_request_body()},
    dependencies=DOCUMENTED_KEYS,
)
async def predict(
    request: Request,
    x_flow_dialect: Annotated[str | None, Header(description="who measured the flows")] = None,
    dialect: Annotated[str | None, Query(description="the same; wins over the header")] = None,
    explain: Annotated[
        bool, Query(description=f"say which features moved each verdict; up to {EXPLAINED_FLOWS} flows")
    ] = False,
) -> Response:
    """Judge a flow, a list or an MLflow envelope, measured in the model's dialect unless another is named."""
    service = _service(request)
    service.keys.check(request)
    body = await read_body(request)
    with service.metrics.prediction_latency.time():
        measured_by = _named(dialect) or _named(x_flow_dialect)
        answer = await service.predictor.predict(body, measured_by, explain=explain)
    return OrjsonResponse(answer)


@router.post(
    "/invocations",
    response_model=Invocations,
    responses=PROBLEMS,
    openapi_extra={"requestBody": flows_request_body()},
    dependencies=DOCUMENTED_KEYS,
)
async def invocations(
    request: Request,
    x_flow_dialect: Annotated[str | None, Header(description="who measured the flows")] = None,
    dialect: Annotated[str | None, Query(description="the same; wins over the header")] = None,
) -> Response:
    """Judge what `POST /predict` judges, and answer as in MLflow's scoring protocol: class codes alone."""
    service = _service(request)
    service.keys.check(request)
    body = await read_body(request)
    with service.metrics.prediction_latency.time():
        answer = await service.predictor.invoke(body, _named(dialect) or _named(x_flow_dialect))
    return OrjsonResponse(answer)


@router.get("/ping", response_class=Response, responses={503: {"description": "Not ready; see /ready"}})
async def ping(request: Request) -> Response:
    """Answer 200 when ready, 503 before, with an empty line: the health check of MLflow's protocol."""
    status = 503 if _service(request).missing() else 200
    return Response("\n", status_code=status, media_type="application/json")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Give the counters in Prometheus' text format."""
    return Response(_service(request).metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
