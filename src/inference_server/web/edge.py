"""What every request and WebSocket passes first: its id, its limit, its headers, its line in the log."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from inference_server.web.http_traffic import HttpTraffic
from inference_server.web.responses import OrjsonResponse
from inference_server.web.security_headers import Headers, security_headers

ID_HEADER: Final = b"x-request-id"
NO_SERVICE_LIMIT: Final = 1000
SWITCHING_PROTOCOLS: Final = 101
FORBIDDEN: Final = 403
UNEXPECTED_CONDITION: Final = 1011
PREDICTIONS: Final = "/api/predictions"
"""Its clients read `error` where those of all other routes read `detail`."""
TOO_MANY: Final = "Too many requests at once (MAX_CONCURRENT_REQUESTS): come back in 1 s"
_SANE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
logger = logging.getLogger(__name__)


class Edge:
    """The outermost layer of the application.

    What nobody expected is answered 500 without a word of the cause; the log has it, under the request's id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ids = _made_ids()
        self._traffic = HttpTraffic(NO_SERVICE_LIMIT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request_id = self._id_of(scope)
        headers = security_headers(scope["path"], scope["scheme"])
        answer = _Answer(send, (*headers, (ID_HEADER, request_id)))
        traffic = self._traffic_of(scope)
        text_id = request_id.decode()
        try:
            if traffic.begin(scope["path"]):
                await self._app(scope, receive, answer.send)
            else:
                busy = _refusal(scope["path"], TOO_MANY, 503, {"Retry-After": "1"})
                await busy(scope, receive, answer.send)
        except Exception:
            logger.exception("request %s: %s %r failed", text_id, scope["method"], scope["path"])
            if answer.status is not None:
                raise
            await _refusal(scope["path"], "Internal error", 500)(scope, receive, answer.send)
        finally:
            traffic.end(scope, text_id, answer.status, time.perf_counter() - began, answer.size)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        request_id = self._id_of(scope).decode()
        socket = _Socket(send)
        traffic = self._traffic_of(scope)
        traffic.begin_socket()
        try:
            await self._app(scope, receive, socket.send)
        except WebSocketDisconnect:
            pass
        except Exception:
            logger.exception("request %s: WebSocket %r failed", request_id, scope["path"])
            await socket.fail()
        finally:
            traffic.end_socket(scope, request_id, socket.status, time.perf_counter() - began)

    def _id_of(self, scope: Scope) -> bytes:
        for name, value in scope["headers"]:
            if name == ID_HEADER and _SANE_ID.fullmatch(value):
                return bytes(value)
        return next(self._ids)

    def _traffic_of(self, scope: Scope) -> HttpTraffic:
        service = getattr(scope["app"].state, "service", None)
        return service.http if service and hasattr(service, "http") else self._traffic


class _Answer:
    """Sends an answer with more headers than it has, and notes what was sent."""

    __slots__ = ("_headers", "_send", "size", "status")

    def __init__(self, send: Send, headers: Headers) -> None:
        self._send = send
        self._headers = headers
        self.status: int | None = None
        self.size = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
        elif message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._headers]
        await self._send(message)


class _Socket:
    """Notes what became of a WebSocket."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None
        self._closed = False

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            self.status = SWITCHING_PROTOCOLS
        elif kind == "websocket.http.response.start":
            self.status = message["status"]
        elif kind == "websocket.close":
            self._closed = True
            self.status = self.status or FORBIDDEN
        await self._send(message)

    async def fail(self) -> None:
        """Close it, unless it is closed or refused already."""
        if not self._closed and self.status in {None, SWITCHING_PROTOCOLS}:
            await self.send(
                {"type": "websocket.close", "code": UNEXPECTED_CONDITION, "reason": "Internal error"}
            )


def _made_ids() -> Iterator[bytes]:
    """Yield ids that no other process makes."""
    process = secrets.token_hex(6)
    return (f"{process}-{number:x}".encode() for number in itertools.count(1))


def _refusal(path: str, text: str, status: int, headers: Mapping[str, str] | None = None) -> OrjsonResponse:
    key = "error" if path == PREDICTIONS else "detail"
    return OrjsonResponse({key: text}, status_code=status, headers=headers)
