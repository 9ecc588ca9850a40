"""From exceptions to HTTP answers, in one place.

RequestError
├── UnauthorizedError       401
├── ForbiddenError          403
├── NotFoundError           404
├── SlowBodyError           408
├── ConflictError           409
├── BodyTooLargeError       413
├── UnprocessableError      422
├── TooManyRequestsError    429, with Retry-After
├── ModelNotAvailableError  503
│   └── RemoteModelError
├── BusyError               503, with Retry-After
└── StorageFullError        507
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Match

from inference_server.web.api_keys import Role
from inference_server.web.edge import Edge
from inference_server.web.responses import OrjsonResponse

NOT_YET: Final = "Model not available"
NOT_FOUND: Final = 404
METHOD_NOT_ALLOWED: Final = 405
_UNREADABLE: Final = "There was an error parsing the body"
"""What FastAPI says, with another status, of bytes that are no text."""
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class RequestError(Exception):
    """A request that gets another answer than 200: `detail`, and `more` keys beside it."""

    status: ClassVar[int]
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.body = {"detail": detail} | {key: value for key, value in more.items() if value}


class UnauthorizedError(RequestError):
    """No key, or not one of ours."""

    status = 401
    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})


class ForbiddenError(RequestError):
    """A key that does not allow this, or a page of another site without one."""

    status = 403


class NotFoundError(RequestError):
    """What a path names is not there."""

    status = 404


class SlowBodyError(RequestError):
    """A body that does not come to its end."""

    status = 408


class ConflictError(RequestError):
    """What is asked for contradicts how things are."""

    status = 409


class BodyTooLargeError(RequestError):
    """More bytes than a request may have."""

    status = 413


class UnprocessableError(RequestError):
    """A body that describes no flow the model can judge, or a parameter that is none."""

    status = 422


class TooManyRequestsError(RequestError):
    """More requests a minute than a caller may send; `seconds` until there is room again."""

    status = 429

    def __init__(self, detail: str, seconds: int) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(seconds)}


class ModelNotAvailableError(RequestError):
    """No model serves yet."""

    status = 503


class RemoteModelError(ModelNotAvailableError):
    """The remote model gave no verdict, and no other model serves yet."""


class BusyError(RequestError):
    """The scoring queue is full."""

    status = 503
    headers = MappingProxyType({"Retry-After": "1"})


class StorageFullError(RequestError):
    """The disk has no room for what was sent."""

    status = 507


def install_errors(app: FastAPI) -> None:
    """Make `app` answer with the translations of this module."""
    app.add_exception_handler(RequestError, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_exception_handler(RequestValidationError, answer_wrong_parameter)
    app.add_middleware(Edge)


async def answer_problem(request: Request, error: Exception) -> OrjsonResponse:
    """Return the answer that a RequestError is."""
    assert isinstance(error, RequestError)
    body = error.body | {"detail": public_detail(request, str(error))}
    return OrjsonResponse(body, status_code=error.status, headers=error.headers)


def public_detail(request: Request, detail: str) -> str:
    """Return what went wrong without the paths of this machine."""
    public_text = getattr(getattr(request.app.state, "service", None), "public_text", str)
    return str(public_text(detail))


async def answer_http_error(request: Request, error: Exception) -> OrjsonResponse:
    """Return the answer to a path or a method that is not served, or what a library refused."""
    assert isinstance(error, HTTPException)
    method, path = request.scope.get("method", "WebSocket"), request.scope["path"]
    detail, headers = error.detail, error.headers or {}
    if error.status_code == NOT_FOUND and detail == "Not Found":
        detail = f"Nothing is at {path}: GET /docs shows what there is"
    elif detail == _UNREADABLE:
        return OrjsonResponse({"detail": "The body is not JSON"}, status_code=UnprocessableError.status)
    elif error.status_code == METHOD_NOT_ALLOWED:
        allowed = _methods_at(request)
        headers = {"Allow": ", ".join(allowed)}
        detail = f"{method} is not allowed at {path}: {headers['Allow'] or 'no other method'} is"
    return OrjsonResponse({"detail": detail}, status_code=error.status_code, headers=headers)


def _methods_at(request: Request) -> list[str]:
    """Return the methods that a path is served for, by whichever routes."""
    scope = {**request.scope, "path_params": {}}
    return [
        method
        for method in METHODS
        if any(route.matches(scope | {"method": method})[0] is Match.FULL for route in request.app.routes)
    ]


async def answer_wrong_parameter(request: Request, error: Exception) -> OrjsonResponse:
    """Return the answer to parameters, or a body, that are not what a route describes: one line, by name.

    FastAPI looks at them before the route asks for a key; who has none is told that alone.
    """
    assert isinstance(error, RequestValidationError)
    if service := getattr(request.app.state, "service", None):
        try:
            service.keys.require(request, Role.READ)
        except RequestError as refusal:
            return await answer_problem(request, refusal)
    problems = [f"{_place(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
    return OrjsonResponse({"detail": "; ".join(problems)}, status_code=UnprocessableError.status)


def _place(location: Iterable[str | int]) -> str:
    """Return the name of what is wrong, without where it came from: `limit` of ("query", "limit")."""
    place, *names = location
    return ".".join(map(str, names)) or f"the {place}"
