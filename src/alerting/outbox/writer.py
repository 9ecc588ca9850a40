"""The one thread that works on the outbox's file: commits in groups, reads for transports, tidies up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.outbox.database import is_damage, open_current
from alerting.outbox.intake import Intake, Page, Work
from alerting.outbox.running_time import RunningTime
from alerting.outbox.store import Store, TransportCounts

TICK_SECONDS: Final = 1.0
TIDY_SECONDS: Final = 60.0
COUNT_SECONDS: Final = 0.2
COUNT_SHARE: Final = 20
"""Counting happens this often at most, and takes this part of the thread's time at most."""

BACK_OFF_SECONDS: Final = (0.1, 5.0)
HOUR_US: Final = 3_600_000_000
SHRINK_PAGES: Final = 2000
NOTES: Final = 5
REMEDY: Final = "make STATE_DIR writable, with room on its disk"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept, for how long.

    Attributes:
        max_bytes: of the file; the oldest messages make room.
        dead_after_hours: running hours after which a delivery is given up.
        keep_hours: running hours that messages are kept which nobody is to deliver any more.
        keep_dead_hours: the same of those that are dead somewhere.
    """

    max_bytes: int = 512_000_000
    dead_after_hours: float = 72.0
    keep_hours: float = 24.0
    keep_dead_hours: float = 720.0


@dataclass(frozen=True, slots=True)
class Contents:
    """What the file held when it was last looked at."""

    messages: int = 0
    bytes: int = 0
    deleted: int = 0
    transports: dict[str, TransportCounts] | None = None


class Writer:
    """Owns the file; `intake` is how others reach it."""

    def __init__(
        self,
        path: Path,
        intake: Intake,
        transports: Collection[str],
        limits: Limits,
        *,
        clock: Clock = SYSTEM_CLOCK,
        committed: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare the thread; `start` begins.

        Args:
            path: the file.
            intake: what waits for it.
            transports: for whom messages are committed.
            limits: how much is kept.
            clock: where the time comes from.
            committed: is called after messages were.
        """
        self._path = path
        self._intake = intake
        self._transports = tuple(transports)
        self._limits = limits
        self._monotonic = clock.monotonic
        self._committed = committed
        self.time = RunningTime(clock.monotonic)
        self._store: Store | None = None
        self._contents = Contents()
        self._changed = True
        self._count_at = self._tidy_at = float("-inf")
        self._deleted = 0
        self._restarts = 0
        self._error: str | None = None
        self._notes: list[str] = []
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Commit what waits, for at most `timeout` seconds, and end the thread."""
        self._intake.stop()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if left := self._intake.abandon():
            logger.error(
                "the outbox stopped with %d messages not committed: they are in alerts.json only", left
            )

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    @property
    def restarts(self) -> int:
        """How often work was taken up again after a failure."""
        return self._restarts

    @property
    def contents(self) -> Contents:
        """What the file held when it was last looked at, a second ago or so."""
        return self._contents

    @property
    def error(self) -> str | None:
        """Why nothing is being committed and what to do, None while it is."""
        return self._error

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened to the file."""
        return tuple(self._notes)

    def _run(self) -> None:
        shortest, longest = BACK_OFF_SECONDS
        pause = shortest
        while not (self._intake.stopping and self._intake.empty()):
            try:
                self._turn()
                pause, self._error = shortest, None
            except Exception as error:
                self._failed(error)
                self._intake.rest(pause)
                pause = min(2 * pause, longest)
        if self._store:
            self._store.close()

    def _turn(self) -> None:
        """Do what waits, in one transaction."""
        store = self._opened()
        self._intake.wait(max(0.0, self._count_at - time.monotonic()) if self._changed else TICK_SECONDS)
        work = self._intake.work()
        if work.messages or work.settled:
            store.commit(work.messages, self._transports, work.settled, self.time.now_us())
            self._changed = True
        pages = [store.due(each.transport, self.time.now_us(), each.limit) for each in work.asked]
        self._intake.done(work)
        _answer(work, [Page(*page) for page in pages])
        if work.messages:
            self._committed()
        self._make_room(store)
        self._tidy(store)
        self._look(store)

    def _opened(self) -> Store:
        if self._store is None:
            engine, said = open_current(self._path)
            self._store = Store(engine)
            if said:
                self._note(said)
            self.time.go_on_from(max(self._store.running_us(), self.time.now_us()))
            # A start is a reason to try again at once.
            self._store.attempt_all_at(self.time.now_us())
            self._changed = True
            self._committed()
        return self._store

    def _make_room(self, store: Store) -> None:
        while (used := store.used_bytes()) > self._limits.max_bytes and (deleted := store.make_room()):
            self._deleted += deleted
            self._changed = True
            logger.debug("%d messages deleted: the outbox held %d bytes", deleted, used)

    def _tidy(self, store: Store) -> None:
        """Give up and forget what is old; goes on at the next turn while there is more to forget."""
        now = self._monotonic()
        if now < self._tidy_at:
            return
        limits, running = self._limits, self.time.now_us()
        if dead := store.give_up(running - int(limits.dead_after_hours * HOUR_US)):
            logger.error("%d deliveries given up after %g h", dead, limits.dead_after_hours)
        forgotten = store.forget(
            running - int(limits.keep_hours * HOUR_US), running - int(limits.keep_dead_hours * HOUR_US)
        )
        store.shrink(SHRINK_PAGES)
        self._deleted += forgotten
        self._changed |= bool(dead or forgotten)
        self._tidy_at = now if forgotten else now + TIDY_SECONDS

    def _look(self, store: Store) -> None:
        began = time.monotonic()
        if not self._changed or began < self._count_at:
            return
        counts = store.counts(self.time.now_us())
        self._contents = Contents(store.messages(), store.used_bytes(), self._deleted, counts)
        ended = time.monotonic()
        self._count_at = ended + max(COUNT_SECONDS, COUNT_SHARE * (ended - began))
        self._changed = False

    def _failed(self, error: Exception) -> None:
        self._intake.failed()
        self._restarts += 1
        if self._store and isinstance(error, DBAPIError) and is_damage(error):
            # Opening it looks whether it can still be used.
            self._store.close()
            self._store = None
        reason = error.orig if isinstance(error, DBAPIError) else error
        message = f"{self._path.name}: {reason}; {REMEDY}"
        if message != self._error:
            known = isinstance(error, (DBAPIError, OSError))
            logger.error("nothing is committed: %s", message, exc_info=None if known else error)
        self._error = message

    def _note(self, said: str) -> None:
        logger.warning("%s", said)
        self._notes = [*self._notes, said][-NOTES:]


def _answer(work: Work, pages: list[Page]) -> None:
    for asked, page in zip(work.asked, pages, strict=True):
        try:
            asked.answer.set_result(page)
        except InvalidStateError:  # cancelled: the outbox stops
            continue
