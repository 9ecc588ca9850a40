"""Files that go to and from the page: captures that are sent, evidence and records that are taken away."""

from __future__ import annotations

import re
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from inference_server.dashboard.access import Caller
from inference_server.service import Service
from inference_server.web.api_keys import Role
from inference_server.web.errors import ForbiddenError, NotFoundError, RequestError
from inference_server.web.responses import OrjsonResponse

CAPTURES: Final = "/send-capture"
_ALERT: Final = re.compile(r"/take/alerts/([\w-]{1,64})/(evidence\.pcap|eve\.json)")
_VERDICTS: Final = re.compile(r"/take/captures/(\w{1,64})/verdicts\.ndjson")


async def transfer(path: str, request: Request, service: Service, caller: Caller) -> Response | None:
    """Answer a request for a file; None when the path is no file's."""
    try:
        if path == CAPTURES and request.method == "PUT":
            return await _take_capture(request, service, caller)
        if request.method not in ("GET", "HEAD"):
            return None
        if found := _ALERT.fullmatch(path):
            return await _of_alert(service, *found.groups())
        if found := _VERDICTS.fullmatch(path):
            lines = service.uploads.follow(found[1], to_the_end=False)
            return StreamingResponse(
                lines, media_type="application/x-ndjson", headers=_as_file(f"{found[1]}.ndjson")
            )
    except RequestError as error:
        return OrjsonResponse(
            error.body, status_code=error.status, headers={"Connection": "close", **error.headers}
        )
    return None


async def _take_capture(request: Request, service: Service, caller: Caller) -> Response:
    if caller.role < Role.PREDICT:
        raise ForbiddenError(f"Sending captures needs a key of role predict: {caller.name} may only read")
    length = request.headers.get("content-length", "")
    upload = await service.uploads.add(
        request.stream(),
        request.query_params.get("name", ""),
        expected=int(length) if length.isdecimal() else None,
    )
    return OrjsonResponse({"id": upload.id}, status_code=202)


async def _of_alert(service: Service, alert_id: str, wanted: str) -> Response:
    alert = await service.off_loop.run(service.alert_book.get, alert_id)
    if alert is None:
        raise NotFoundError(f"No alert {alert_id!r}")
    if wanted == "eve.json":
        body = orjson.dumps(alert.eve, option=orjson.OPT_INDENT_2)
        return Response(body, media_type="application/json", headers=_as_file(f"{alert.summary['id']}.json"))
    if alert.evidence is None or not alert.evidence.is_file():
        raise NotFoundError("There is no evidence of this alert (any more)")
    return FileResponse(
        alert.evidence, media_type="application/vnd.tcpdump.pcap", filename=alert.evidence.name
    )


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
