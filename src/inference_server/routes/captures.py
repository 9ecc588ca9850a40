"""The routes that take captures, and tell what is in them."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from inference_server.routes.api_models import Problem
from inference_server.service import Service
from inference_server.streams.response import NDJSON, StreamResponse, feed
from inference_server.uploads.multipart import MEDIA_TYPE, NamedStream, first_file
from inference_server.uploads.upload import Upload
from inference_server.web.api_keys import Role
from inference_server.web.auth import SECURITY
from inference_server.web.errors import RequestError
from inference_server.web.responses import OrjsonResponse

UNAUTHORIZED: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": Problem, "description": "No accepted API key"},
    403: {"model": Problem, "description": "A key that does not allow this"},
}
MISSING: Final[dict[int | str, dict[str, Any]]] = UNAUTHORIZED | {
    404: {"model": Problem, "description": "No such upload"}
}
_BINARY: Final = {"type": "string", "format": "binary"}
CAPTURE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "a pcap or pcapng capture, also gzip or Zstandard",
        "content": {
            "application/octet-stream": {"schema": _BINARY},
            "application/vnd.tcpdump.pcap": {"schema": _BINARY},
            MEDIA_TYPE: {"schema": {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}},
        },
    }
}
STREAM_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "a pcap or pcapng capture, not compressed",
        "content": {"application/octet-stream": {"schema": _BINARY}},
    }
}
TAKEN: Final[dict[int | str, dict[str, Any]]] = UNAUTHORIZED | {
    408: {"model": Problem, "description": "Not received in UPLOAD_MAX_SECONDS"},
    413: {"model": Problem, "description": "More than UPLOAD_MAX_MB"},
    422: {"model": Problem, "description": "No body, or a broken form"},
    503: {"model": Problem, "description": "No model serves yet, or too many captures wait (Retry-After)"},
    507: {"model": Problem, "description": "No room for it on disk"},
}
Id = Annotated[str, Path(description="of the upload", min_length=1, max_length=64)]
Name = Annotated[
    str | None, Query(max_length=200, description="what to call the capture; a form's file has a name itself")
]
After = Annotated[int, Query(ge=0, le=2**53, description="number `n` of the last verdict already read")]
Follow = Annotated[bool, Query(description="false: end with what there is, also while more is to come")]
router = APIRouter(dependencies=SECURITY)


@router.post(
    "/api/captures",
    status_code=202,
    response_model=Upload,
    responses=TAKEN,
    openapi_extra=CAPTURE_BODY,
    name="upload_capture",
)
async def upload_capture(request: Request, name: Name = None) -> Response:
    """Take a capture of any length up to UPLOAD_MAX_MB, and answer at once; its flows are judged later."""
    service = _service(request)
    service.keys.require(request, Role.PREDICT)
    try:
        stream = await _sent_file(request)
        length = request.headers.get("content-length", "")
        upload = await service.uploads.add(
            stream.chunks, name or stream.name, expected=int(length) if length.isdecimal() else None
        )
    except RequestError as error:
        return _refused(error)
    location = {"Location": f"/api/captures/{upload.id}"}
    return OrjsonResponse(upload.model_dump(), status_code=202, headers=location)


router.add_api_route(
    "/api/captures",
    upload_capture,
    methods=["PUT"],
    status_code=202,
    response_model=Upload,
    responses=TAKEN,
    openapi_extra=CAPTURE_BODY,
    name="put_capture",
    description="The same, for `curl -T`.",
)


@router.get("/api/captures", response_model=list[Upload], responses=UNAUTHORIZED)
async def list_captures(request: Request) -> Response:
    """Tell of all uploaded captures, the latest first."""
    service = _service(request)
    service.keys.require(request, Role.READ)
    return OrjsonResponse([upload.model_dump() for upload in service.uploads.list()])


@router.get("/api/captures/{upload_id}", response_model=Upload, responses=MISSING)
async def get_capture(request: Request, upload_id: Id) -> Response:
    """Tell where an uploaded capture stands, and what was found in it so far."""
    service = _service(request)
    service.keys.require(request, Role.READ)
    return OrjsonResponse(service.uploads.get(upload_id).model_dump())


@router.delete("/api/captures/{upload_id}", status_code=204, responses=MISSING)
async def delete_capture(request: Request, upload_id: Id) -> Response:
    """Delete an uploaded capture and its verdicts; an analysis that runs is ended."""
    service = _service(request)
    service.keys.require(request, Role.ADMIN)
    await asyncio.to_thread(service.uploads.delete, upload_id)
    return Response(status_code=204)


@router.get(
    "/api/captures/{upload_id}/verdicts",
    response_class=StreamingResponse,
    responses=MISSING
    | {200: {"description": "one verdict a line", "content": {NDJSON: {"schema": {"type": "string"}}}}},
)
async def capture_verdicts(
    request: Request, upload_id: Id, after: After = 0, follow: Follow = True
) -> Response:
    """Give the verdicts of a capture's flows as they are made: lines of JSON, without the features."""
    service = _service(request)
    service.keys.require(request, Role.READ)
    return StreamingResponse(service.uploads.follow(upload_id, after, to_the_end=follow), media_type=NDJSON)


async def stream_capture(request: Request) -> Response:
    """Judge a capture of any length while it comes: one verdict a line as flows end, then a summary.

    Plain pcap or pcapng, such as `tcpdump -U -w -` writes. Flows end as in live capture; while nothing comes,
    the clock ends them. An answer that is not read stops the reading of the body.
    """
    service = _service(request)
    service.keys.require(request, Role.PREDICT)
    stream = None
    reading = None
    try:
        stream = service.streams.open()
        reading = asyncio.create_task(feed(stream, request.receive))
        await stream.begun()
    except RequestError as error:
        return _refused(error)
    except BaseException:
        # The client, or the service, has gone.
        if stream:
            stream.abandon()
        if reading:
            reading.cancel()
        raise
    return StreamResponse(stream, reading)


for method, name in (("POST", "stream_capture"), ("PUT", "put_stream")):
    router.add_api_route(
        "/api/stream",
        stream_capture,
        methods=[method],
        name=name,
        response_class=Response,
        responses=UNAUTHORIZED
        | {
            200: {"description": "verdicts", "content": {NDJSON: {"schema": {"type": "string"}}}},
            422: {"model": Problem, "description": "No capture"},
            503: {"model": Problem, "description": "No model serves yet, or STREAMS_AT_ONCE (Retry-After)"},
        },
        openapi_extra=STREAM_BODY,
    )


def _refused(error: RequestError) -> Response:
    """Return an answer that closes the connection: the rest of the body is not read."""
    headers = {"Connection": "close", **error.headers}
    return OrjsonResponse(error.body, status_code=error.status, headers=headers)


async def _sent_file(request: Request) -> NamedStream:
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == MEDIA_TYPE:
        return await first_file(content_type, request.stream())
    return NamedStream("", request.stream())


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service
