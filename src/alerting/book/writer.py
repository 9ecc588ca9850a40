"""The one thread that writes the alert book: commits in groups, and forgets what is old."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from alerting.book.intake import Asked, Intake, Work
from alerting.book.rows import alert_rows
from alerting.book.store import BookStore
from alerting.book.tables import SCHEMA
from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.database.owner import DatabaseOwner
from alerting.database.space import shrink, used_bytes

TICK_SECONDS: Final = 1.0
TIDY_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 1.0
SHRINK_PAGES: Final = 2000
DAY_US: Final = 86_400_000_000
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BookLimits:
    """How much is kept, for how long.

    Attributes:
        max_bytes: of the file; the oldest alerts make room.
        keep_days: days that alerts are kept after their last message; labels stay.
    """

    max_bytes: int = 512_000_000
    keep_days: float = 90.0


@dataclass(frozen=True, slots=True)
class Contents:
    """What the file held when it was last looked at."""

    alerts: int = 0
    labels: int = 0
    bytes: int = 0


class Writer:
    """Does the work of the book's thread; `intake` is how others reach it."""

    def __init__(
        self,
        path: Path,
        intake: Intake,
        limits: BookLimits,
        *,
        clock: Clock = SYSTEM_CLOCK,
        opened: Callable[[], None] = lambda: None,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare the thread; `start` begins.

        Args:
            path: the file.
            intake: what waits for it.
            limits: how much is kept.
            clock: where the time comes from.
            opened: is called when the file was opened, perhaps another one than before.
            committed: is called after something was.
        """
        self._intake = intake
        self._limits = limits
        self._clock = clock
        self._opened = opened
        self._committed = committed
        self._look_at = self._tidy_at = float("-inf")
        self._changed = True
        self.contents = Contents()
        self.deleted = 0
        self.owner = DatabaseOwner("alert-book", path, SCHEMA, self)

    def start(self) -> None:
        """Start the thread."""
        self.owner.start()

    def stop(self, timeout: float) -> None:
        """Commit what waits, for at most `timeout` seconds, and end the thread."""
        self._intake.stop()
        self.owner.join(timeout)
        if left := self._intake.abandon():
            logger.error("the alert book lacks %d messages: they are in alerts.json and the outbox", left)

    def opened(self, engine: Engine) -> None:
        """Begin with a file."""
        BookStore(engine).begin(self._clock.wall_us())
        self._changed = True
        self._opened()

    def turn(self, engine: Engine) -> None:
        """Do what waits, in one transaction."""
        store = BookStore(engine)
        self._intake.wait(max(0.0, self._look_at - time.monotonic()) if self._changed else TICK_SECONDS)
        work = self._intake.work()
        if work.alerts or work.asked:
            self._commit(store, work)
        self._make_room(engine, store)
        self._tidy(engine, store)
        self._look(engine, store)

    def failed(self) -> None:
        """Nobody waits for room."""

    def rest(self, seconds: float) -> None:
        """Wait in spite of work, unless the end comes."""
        self._intake.rest(seconds)

    def over(self) -> bool:
        """Return whether the end has come and nothing waits."""
        return self._intake.stopping and self._intake.empty()

    def _commit(self, store: BookStore, work: Work) -> None:
        try:
            rows = [alert_rows(each) for each in work.alerts]
            changed = store.commit(rows, [asked.change for asked in work.asked], self._clock.wall_us())
        except Exception as error:
            for asked in work.asked:
                asked.answer.set_exception(OSError(f"the alert book cannot be written: {error}"))
            raise
        self._intake.done(work)
        for asked, summary in zip(work.asked, changed, strict=True):
            _answer(asked, summary)
        self._changed = True
        self._committed()

    def _make_room(self, engine: Engine, store: BookStore) -> None:
        while (used := used_bytes(engine)) > self._limits.max_bytes and (deleted := store.make_room()):
            self.deleted += deleted
            self._changed = True
            logger.debug("%d alerts deleted: the alert book held %d bytes", deleted, used)

    def _tidy(self, engine: Engine, store: BookStore) -> None:
        """Forget what is old; goes on at the next turn while there is more of it."""
        now = self._clock.monotonic()
        if now < self._tidy_at:
            return
        forgotten = store.forget(self._clock.wall_us() - int(self._limits.keep_days * DAY_US))
        shrink(engine, SHRINK_PAGES)
        self.deleted += forgotten
        self._changed |= bool(forgotten)
        self._tidy_at = now if forgotten else now + TIDY_SECONDS

    def _look(self, engine: Engine, store: BookStore) -> None:
        now = time.monotonic()
        if self._changed and now >= self._look_at:
            self.contents = Contents(*store.alerts(), used_bytes(engine))
            self._look_at = now + LOOK_SECONDS
            self._changed = False


def _answer(asked: Asked, summary: dict[str, Any] | None) -> None:
    try:
        asked.answer.set_result(summary)
    except InvalidStateError:  # whoever asked gave up
        return
