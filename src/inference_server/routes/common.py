"""The HTTP routes but those that judge flows: thin; what they answer is made elsewhere."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from inference_server.routes.api_models import Health, Message, Problem, Ready
from inference_server.service import Service
from inference_server.web.api_keys import Role
from inference_server.web.auth import SECURITY
from inference_server.web.responses import OrjsonResponse

router = APIRouter()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@router.get("/", response_model=Message)
async def root() -> Response:
    """Say that the server runs."""
    return OrjsonResponse({"message": "Inference server is running."})


@router.get("/health", response_model=Health)
async def health(request: Request) -> Response:
    """Tell the state of every part, and what is wrong; always 200."""
    service = _service(request)
    text = bytes(OrjsonResponse(service.health()).body).decode()
    return Response(service.public_text(text), media_type=OrjsonResponse.media_type)


@router.get("/ready", response_model=Ready, responses={503: {"model": Ready}})
async def ready(request: Request) -> Response:
    """Answer 200 once a model serves and an enabled capture runs, 503 before."""
    missing = _service(request).missing()
    body = {"ready": not missing, "missing": missing}
    return OrjsonResponse(body, status_code=503 if missing else 200)


@router.get("/ping", response_class=Response, responses={503: {"description": "Not ready; see /ready"}})
async def ping(request: Request) -> Response:
    """Answer 200 when ready, 503 before, with an empty line: the health check of MLflow's protocol."""
    status = 503 if _service(request).missing() else 200
    return Response("\n", status_code=status, media_type="application/json")


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        200: {"content": {"text/plain": {}}},
        401: {"model": Problem, "description": "No accepted API key (METRICS_PUBLIC=false)"},
    },
    dependencies=SECURITY,
)
async def metrics(request: Request) -> Response:
    """Give the counters in Prometheus' text format."""
    service = _service(request)
    if not service.settings.metrics_public:
        service.keys.require(request, Role.READ)
    return Response(service.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
