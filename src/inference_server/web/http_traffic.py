"""What goes on at the HTTP port: how much at once, and how it was answered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from starlette.types import Scope

from inference_server.web.access_log import AccessLog

ALWAYS_ANSWERED: Final = frozenset({"/health", "/ready", "/ping", "/metrics"})
GONE: Final = 499
"""What a request counts as whose caller left before it was answered."""


@dataclass(frozen=True, slots=True)
class HttpStatus:
    """A look at the HTTP port.

    Attributes:
        running: requests being answered.
        limit: how many may be.
        sockets: WebSockets that are open.
        answered: answers so far, by status; 101 are WebSockets that ended, 499 callers that left.
        log_running: the thread of the access log is alive.
    """

    running: int
    limit: int
    sockets: int
    answered: dict[int, int]
    log_running: bool


class HttpTraffic:
    """Counts requests and WebSockets, and writes the access log. The event loop alone changes it."""

    def __init__(self, limit: int, log: AccessLog | None = None) -> None:
        self.log = log
        self._limit = limit
        self._running = 0
        self._sockets = 0
        self._answered: Counter[int] = Counter()

    def begin(self, path: str) -> bool:
        """Begin a request; False when it is one too many, and must be told so and ended all the same."""
        self._running += 1
        return self._running <= self._limit or path in ALWAYS_ANSWERED

    def end(self, scope: Scope, request_id: str, status: int | None, seconds: float, size: int) -> None:
        """End a request; `status` None: its caller left before it was answered."""
        self._running -= 1
        self._add(scope, request_id, status, seconds, size)

    def begin_socket(self) -> None:
        """Begin a WebSocket."""
        self._sockets += 1

    def end_socket(self, scope: Scope, request_id: str, status: int | None, seconds: float) -> None:
        """End a WebSocket, or what was to become one."""
        self._sockets -= 1
        self._add(scope, request_id, status, seconds, 0)

    def status(self) -> HttpStatus:
        """Look at the port."""
        running = self.log is None or self.log.running
        return HttpStatus(self._running, self._limit, self._sockets, dict(self._answered), running)

    def _add(self, scope: Scope, request_id: str, status: int | None, seconds: float, size: int) -> None:
        self._answered[status or GONE] += 1
        if self.log:
            self.log.add(scope, request_id, status, seconds, size)
