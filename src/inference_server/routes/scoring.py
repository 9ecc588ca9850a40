"""The routes that judge flows.

They are described to FastAPI like all others, but served before it looks for routes and dependencies, which
takes as long as judging a flow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from detection.remote.endpoint import VERSION_HEADER
from inference_server.bodies.arrow import ARROW, code_column
from inference_server.bodies.pandas_split import answer_error, read_split_body
from inference_server.predict import EXPLAINED_FLOWS
from inference_server.routes.api_models import (
    ConnectionPrediction,
    ConnectionProblem,
    DetailedPredictions,
    Invocations,
    Predictions,
    Problem,
    SplitProblem,
    flows_request_body,
    split_request_body,
)
from inference_server.service import Service
from inference_server.web.api_keys import Role
from inference_server.web.auth import SECURITY
from inference_server.web.errors import RequestError, UnprocessableError, answer_problem
from inference_server.web.request_body import PANDAS_SPLIT, read_body
from inference_server.web.responses import OrjsonResponse

DOCUMENTED: Final[dict[str, Any]] = {
    "responses": {
        401: {"model": Problem, "description": "No accepted API key"},
        403: {"model": Problem, "description": "The key's role does not allow this"},
        413: {"model": Problem, "description": "More than MAX_BODY_MB, or 10,000 flows"},
        422: {"model": Problem, "description": "No flow the model can judge; says why"},
        503: {"model": Problem, "description": "No model serves yet, or the queue is full (Retry-After)"},
    },
    "dependencies": SECURITY,
}

DOCUMENTED_COLUMNS: Final[dict[str, Any]] = DOCUMENTED | {
    "responses": DOCUMENTED["responses"]
    | {200: {"content": {ARROW: {"schema": {"type": "string", "format": "binary"}}}}}
}

DOCUMENTED_CONNECTIONS: Final[dict[str, Any]] = DOCUMENTED_COLUMNS | {
    "responses": DOCUMENTED_COLUMNS["responses"]
    | {
        400: {"model": ConnectionProblem, "description": "Of a KDD99 client, what is no connection"},
        500: {"model": ConnectionProblem | Problem, "description": "A defect; the log says more"},
        503: {
            "model": Problem | ConnectionProblem,
            "description": "No model serves yet, or the queue is full (Retry-After)",
        },
    }
}


def _parameter(name: str, place: str, kind: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": {"type": kind}, "description": description}


DIALECT: Final = (
    _parameter("x-flow-dialect", "header", "string", "who measured the flows"),
    _parameter("dialect", "query", "string", "the same; wins over the header"),
)
EXPLAIN: Final = _parameter(
    "explain", "query", "boolean", f"say which features moved each verdict; up to {EXPLAINED_FLOWS} flows"
)
DETAIL: Final = _parameter(
    "detail",
    "query",
    "boolean",
    f"also say label, probability, model and, of up to {EXPLAINED_FLOWS} flows, what moved each",
)
_TRUTH: Final = TypeAdapter(bool)
router = APIRouter()


@router.post(
    "/predict",
    response_model=Predictions | ConnectionPrediction,
    openapi_extra={"requestBody": flows_request_body(), "parameters": [*DIALECT, EXPLAIN]},
    **DOCUMENTED_CONNECTIONS,
)
async def predict(request: Request) -> Response:
    """Judge a flow, a list or an MLflow envelope, measured in the model's dialect unless another is named.

    A connection with KDD99's field names is judged by the model of KDD_MODEL_NAME, and answered as its
    clients expect: `prediction`, `confidence` and `status`.
    """
    service = _service(request)
    service.keys.require(request, Role.PREDICT)
    body = await read_body(request, service.settings.max_body_bytes)
    if (answered := await service.kdd99.answer(body)) is not None:
        return answered
    explain, arrow = _flag(request, "explain"), _wants_arrow(request)
    if explain and arrow:
        raise UnprocessableError("explain: Arrow columns hold no explanations: ask for JSON")
    with service.metrics.prediction_latency.time():
        if arrow:
            columns = await service.predictor.columns(body, _dialect(request))
            return Response(columns, media_type=ARROW)
        answer = await service.predictor.predict(body, _dialect(request), explain=explain)
    return OrjsonResponse(answer)


@router.post(
    "/invocations",
    response_model=Invocations | list[float],
    openapi_extra={"requestBody": flows_request_body(), "parameters": [*DIALECT]},
    **DOCUMENTED_COLUMNS,
)
async def invocations(request: Request) -> Response:
    """Judge what `POST /predict` judges, and answer as in MLflow's scoring protocol: class codes alone.

    `application/json; format=pandas-split` is answered as the model of cstub/ml-ids did: a list of 1.0 for
    each attack and 0.0 for every other flow.
    """
    service = _service(request)
    service.keys.require(request, Role.PREDICT)
    body = await read_body(request, service.settings.max_body_bytes)
    with service.metrics.prediction_latency.time():
        verdicts = (await service.predictor.judge(body, _dialect(request))).verdicts
    # Those who serve this model as their remote one call it so.
    version = {VERSION_HEADER: verdicts.model_version}
    if _wants_arrow(request):
        return Response(code_column(verdicts), media_type=ARROW, headers=version)
    if body.media_type == PANDAS_SPLIT:
        return OrjsonResponse(verdicts.is_attack.astype(float), headers=version)
    return OrjsonResponse({"predictions": verdicts.code.tolist()}, headers=version)


@router.post(
    "/api/predictions",
    operation_id="requestPrediction",
    response_model=list[float] | DetailedPredictions,
    openapi_extra={"requestBody": split_request_body(), "parameters": [*DIALECT, DETAIL]},
    responses={
        400: {"model": SplitProblem, "description": "No body, or no flow the model can judge; says why"},
        401: {"model": SplitProblem, "description": "No accepted API key"},
        403: {"model": SplitProblem, "description": "The key's role does not allow this"},
        413: {"model": SplitProblem, "description": "More than MAX_BODY_MB, or 10,000 flows"},
        415: {"model": SplitProblem, "description": "Another content type"},
        500: {"model": SplitProblem, "description": "The remote model failed, and no other serves yet"},
        503: {
            "model": SplitProblem,
            "description": "No model serves yet, or the queue is full (Retry-After)",
        },
    },
    dependencies=SECURITY,
)
async def api_predictions(request: Request) -> Response:
    """Judge rows below columns: 1.0 for each attack, 0.0 for every other flow, in the order sent.

    With `detail` the answer is an object: the same numbers are its `predictions`.
    """
    service = _service(request)
    try:
        service.keys.require(request, Role.PREDICT)
        body = await read_split_body(request, service.settings.max_body_bytes)
        with service.metrics.prediction_latency.time():
            if _flag(request, "detail"):
                return OrjsonResponse(await service.predictor.detail(body, _dialect(request)))
            judged = await service.predictor.judge(body, _dialect(request))
    except RequestError as error:
        return answer_error(request, error)
    return OrjsonResponse(judged.verdicts.is_attack.astype(float))


ENDPOINTS: Final[dict[tuple[str, str], Callable[[Request], Awaitable[Response]]]] = {
    ("POST", "/predict"): predict,
    ("POST", "/invocations"): invocations,
    ("POST", "/api/predictions"): api_predictions,
}


class ScoringRoutes:
    """Serves ENDPOINTS; every other request goes on to the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        endpoint = ENDPOINTS.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await endpoint(request)
        except RequestError as error:
            response = await answer_problem(request, error)
        await response(scope, receive, send)


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _dialect(request: Request) -> str | None:
    """Return the dialect a request names, None when it names none."""
    return _named(_asked(request, "dialect")) or _named(request.headers.get("x-flow-dialect"))


def _flag(request: Request, name: str) -> bool:
    try:
        return _TRUTH.validate_python(_asked(request, name) or False)
    except ValidationError as error:
        raise UnprocessableError(f"{name}: {error.errors()[0]['msg']}") from None


def _wants_arrow(request: Request) -> bool:
    return ARROW in request.headers.get("accept", "")


def _asked(request: Request, name: str) -> str | None:
    return request.query_params.get(name) if request.scope["query_string"] else None


def _named(dialect: str | None) -> str | None:
    return (dialect or "").strip().lower() or None
