"""From exceptions to HTTP answers, in one place.

RequestError
├── UnauthorizedError       401
├── ForbiddenError          403
├── NotFoundError           404
├── SlowBodyError           408
├── BodyTooLargeError       413
├── UnprocessableError      422
├── ModelNotAvailableError  503
├── BusyError               503, with Retry-After
└── StorageFullError        507
"""

from __future__ import annotations

import logging
import uuid
from typing import Any, ClassVar, Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_server.responses import OrjsonResponse

NOT_YET: Final = "Model not available"
logger = logging.getLogger(__name__)


class RequestError(Exception):
    """A request that gets another answer than 200: `detail`, and `more` keys beside it."""

    status: ClassVar[int]
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.body = {"detail": detail} | {key: value for key, value in more.items() if value}


class UnauthorizedError(RequestError):
    """No key, or not one of ours."""

    status = 401
    headers: ClassVar = {"WWW-Authenticate": "Bearer"}


class ForbiddenError(RequestError):
    """A key that does not allow this, or a page of another site without one."""

    status = 403


class NotFoundError(RequestError):
    """What a path names is not there."""

    status = 404


class SlowBodyError(RequestError):
    """A body that does not come to its end."""

    status = 408


class BodyTooLargeError(RequestError):
    """More bytes than a request may have."""

    status = 413


class UnprocessableError(RequestError):
    """A body that describes no flow the model can judge, or a parameter that is none."""

    status = 422


class ModelNotAvailableError(RequestError):
    """No model serves yet."""

    status = 503


class BusyError(RequestError):
    """The scoring queue is full."""

    status = 503
    headers: ClassVar = {"Retry-After": "1"}


class StorageFullError(RequestError):
    """The disk has no room for what was sent."""

    status = 507


def install_errors(app: FastAPI) -> None:
    """Make `app` answer with the translations of this module."""
    app.add_exception_handler(RequestError, answer_problem)
    app.add_middleware(UnexpectedErrors)


async def answer_problem(_: Request, error: Exception) -> OrjsonResponse:
    """Return the answer that a RequestError is."""
    assert isinstance(error, RequestError)
    return OrjsonResponse(error.body, status_code=error.status, headers=error.headers)


class UnexpectedErrors:
    """Answers 500 without a word of the cause; the log has it, under the request's id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception:
            request_id = uuid.uuid4().hex
            logger.exception("request %s: %s %r failed", request_id, scope["method"], scope["path"])
            if started:
                raise
            answer = OrjsonResponse(
                {"detail": "Internal error"}, status_code=500, headers={"X-Request-Id": request_id}
            )
            await answer(scope, receive, send)
