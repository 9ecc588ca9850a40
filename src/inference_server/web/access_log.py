"""LOG_DIR/access.log: a JSON line a request."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.types import Scope

from alerting.line_file import LineFile, LineFileStatus

NAME: Final = "access.log"
PERIOD_SECONDS: Final = 0.2
MAX_LINES: Final = 50_000
"""Lines that may wait, some 15 MB; more are lost and counted."""
logger = logging.getLogger(__name__)


class AccessLog:
    """Takes lines on the event loop and writes them from a thread, five times a second."""

    def __init__(self, directory: Path, *, enabled: bool = True, **limits: Any) -> None:
        self._enabled = enabled
        self._file = LineFile(directory / NAME, **limits)
        self._lines: deque[bytes] = deque()
        self._overflown = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)

    @property
    def running(self) -> bool:
        """Whether lines are being written, or none shall be."""
        return self._thread.is_alive() or not self._enabled

    def start(self) -> None:
        """Start the thread."""
        if self._enabled:
            self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what waits, for at most `timeout` seconds, and end the thread."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def add(self, scope: Scope, request_id: str, status: int | None, seconds: float, size: int) -> None:
        """Take the line of a request that was answered; `status` None: its caller left before."""
        if not self._enabled:
            return
        if len(self._lines) >= MAX_LINES:
            self._overflown += 1
            return
        client = scope.get("client")
        # Encoded here: a thread that did it line by line would keep the event loop from the interpreter.
        line = {
            "time": datetime.now(UTC),
            "request_id": request_id,
            "client": client and client[0],
            "caller": scope.get("state", {}).get("caller"),
            "method": scope.get("method", "WEBSOCKET"),
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 3),
            "bytes": size,
        }
        self._lines.append(orjson.dumps(line, option=orjson.OPT_UTC_Z))

    def status(self) -> LineFileStatus:
        """Return the file's counters; lines that found no room are among those lost."""
        file, lost = self._file.status(), self._overflown
        return replace(file, lost=file.lost + lost, error=file.error or self._trouble())

    def _trouble(self) -> str | None:
        return "more requests than could be written" if len(self._lines) >= MAX_LINES else None

    def _run(self) -> None:
        while not self._stopping.wait(PERIOD_SECONDS):
            self._write()
        self._write()
        self._file.close()

    def _write(self) -> None:
        if lines := [self._lines.popleft() for _ in range(len(self._lines))]:
            self._file.append(lines)
