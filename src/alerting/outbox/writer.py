"""The one thread that works on the outbox's file: commits in groups, reads for transports, tidies up."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from concurrent.futures import InvalidStateError
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.database.owner import DatabaseOwner
from alerting.database.space import shrink, used_bytes
from alerting.outbox.intake import Intake, Page, Work
from alerting.outbox.running_time import RunningTime
from alerting.outbox.store import Store, TransportCounts
from alerting.outbox.tables import SCHEMA

TICK_SECONDS: Final = 1.0
TIDY_SECONDS: Final = 60.0
COUNT_SECONDS: Final = 0.2
COUNT_SHARE: Final = 20
"""Counting happens this often at most, and takes this part of the thread's time at most."""

HOUR_US: Final = 3_600_000_000
SHRINK_PAGES: Final = 2000
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
        self._intake = intake
        self._transports = tuple(transports)
        self._limits = limits
        self._monotonic = clock.monotonic
        self._committed = committed
        self.time = RunningTime(clock.monotonic)
        self._contents = Contents()
        self._changed = True
        self._count_at = self._tidy_at = float("-inf")
        self._deleted = 0
        self.owner = DatabaseOwner("outbox", path, SCHEMA, self)

    def start(self) -> None:
        """Start the thread."""
        self.owner.start()

    def stop(self, timeout: float) -> None:
        """Commit what waits, for at most `timeout` seconds, and end the thread."""
        self._intake.stop()
        self.owner.join(timeout)
        if left := self._intake.abandon():
            logger.error(
                "the outbox stopped with %d messages not committed: they are in alerts.json only", left
            )

    @property
    def contents(self) -> Contents:
        """What the file held when it was last looked at, a second ago or so."""
        return self._contents

    def opened(self, engine: Engine) -> None:
        """Go on from what earlier starts reached; a start is a reason to try again at once."""
        store = Store(engine)
        self.time.go_on_from(max(store.running_us(), self.time.now_us()))
        store.attempt_all_at(self.time.now_us())
        self._changed = True
        self._committed()

    def turn(self, engine: Engine) -> None:
        """Do what waits, in one transaction."""
        store = Store(engine)
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
        self._make_room(engine, store)
        self._tidy(engine, store)
        self._look(engine, store)

    def failed(self) -> None:
        """Tell those who wait for room."""
        self._intake.failed()

    def rest(self, seconds: float) -> None:
        """Wait in spite of work, unless the end comes."""
        self._intake.rest(seconds)

    def over(self) -> bool:
        """Return whether the end has come and nothing waits."""
        return self._intake.stopping and self._intake.empty()

    def _make_room(self, engine: Engine, store: Store) -> None:
        while (used := used_bytes(engine)) > self._limits.max_bytes and (deleted := store.make_room()):
            self._deleted += deleted
            self._changed = True
            logger.debug("%d messages deleted: the outbox held %d bytes", deleted, used)

    def _tidy(self, engine: Engine, store: Store) -> None:
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
        shrink(engine, SHRINK_PAGES)
        self._deleted += forgotten
        self._changed |= bool(dead or forgotten)
        self._tidy_at = now if forgotten else now + TIDY_SECONDS

    def _look(self, engine: Engine, store: Store) -> None:
        began = time.monotonic()
        if not self._changed or began < self._count_at:
            return
        counts = store.counts(self.time.now_us())
        self._contents = Contents(store.messages(), used_bytes(engine), self._deleted, counts)
        ended = time.monotonic()
        self._count_at = ended + max(COUNT_SECONDS, COUNT_SHARE * (ended - began))
        self._changed = False


def _answer(work: Work, pages: list[Page]) -> None:
    for asked, page in zip(work.asked, pages, strict=True):
        try:
            asked.answer.set_result(page)
        except InvalidStateError:  # cancelled: the outbox stops
            continue
