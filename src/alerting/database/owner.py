"""The one thread that works on a database's file, turn by turn, and goes on after a failure."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from alerting.database.file import is_damage, open_current
from alerting.database.schema import Schema

BACK_OFF_SECONDS: Final = (0.1, 5.0)
NOTES: Final = 5
REMEDY: Final = "make STATE_DIR writable, with room on its disk"
logger = logging.getLogger(__name__)


class Worker(Protocol):
    """Whose work the thread does; every method is called from it."""

    def opened(self, engine: Engine) -> None:
        """Begin with a file that was just opened, at the start or after damage."""

    def turn(self, engine: Engine) -> None:
        """Wait for work and do it."""

    def failed(self) -> None:
        """Say that nothing can be done at present."""

    def rest(self, seconds: float) -> None:
        """Wait in spite of work, unless the end comes."""

    def over(self) -> bool:
        """Return whether the end has come and nothing is left to do."""


class DatabaseOwner:
    """Runs a worker's turns; a file that turns out to be damaged is closed and opened again."""

    def __init__(self, name: str, path: Path, schema: Schema, worker: Worker) -> None:
        """Prepare the thread, called `name`; `start` begins."""
        self._path = path
        self._schema = schema
        self._worker = worker
        self._engine: Engine | None = None
        self._restarts = 0
        self._error: str | None = None
        self._notes: tuple[str, ...] = ()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait for the thread's end, for at most `timeout` seconds."""
        if self._thread.ident is not None:
            self._thread.join(timeout)

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    @property
    def restarts(self) -> int:
        """How often work was taken up again after a failure."""
        return self._restarts

    @property
    def error(self) -> str | None:
        """Why nothing is being committed and what to do, None while it is."""
        return self._error

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened to the file, the last few things."""
        return self._notes

    def _run(self) -> None:
        shortest, longest = BACK_OFF_SECONDS
        pause = shortest
        while not self._worker.over():
            try:
                self._worker.turn(self._opened())
                pause, self._error = shortest, None
            except Exception as error:
                self._failed(error)
                self._worker.rest(pause)
                pause = min(2 * pause, longest)
        if self._engine:
            self._engine.dispose()

    def _opened(self) -> Engine:
        if self._engine is None:
            engine, said = open_current(self._path, self._schema)
            if said:
                logger.warning("%s", said)
                self._notes = (*self._notes, said)[-NOTES:]
            try:
                self._worker.opened(engine)
            except BaseException:
                engine.dispose()
                raise
            self._engine = engine
        return self._engine

    def _failed(self, error: Exception) -> None:
        self._worker.failed()
        self._restarts += 1
        if self._engine and isinstance(error, DBAPIError) and is_damage(error):
            # Opening it looks whether it can still be used.
            self._engine.dispose()
            self._engine = None
        reason = error.orig if isinstance(error, DBAPIError) else error
        message = f"{self._path.name}: {reason}; {REMEDY}"
        if message != self._error:
            known = isinstance(error, (DBAPIError, OSError))
            logger.error("nothing is committed: %s", message, exc_info=None if known else error)
        self._error = message
