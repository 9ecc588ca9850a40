"""The one thread that works on the spool's file: commits batches, and gives the sender the oldest."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, InvalidStateError
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from alerting.database.owner import DatabaseOwner
from alerting.database.space import shrink, used_bytes
from inference_server.central.spool import Settled, Spool, SpoolCounts, SpooledBatch
from inference_server.central.tables import SCHEMA
from inference_server.central.waiting import Waiting

TICK_SECONDS: Final = 1.0
SHRINK_SECONDS: Final = 60.0
SHRINK_PAGES: Final = 2000
logger = logging.getLogger(__name__)


class Keeper:
    """Owns the file; any thread may ask, settle and look."""

    def __init__(self, path: Path, waiting: Waiting, limit_bytes: int) -> None:
        """Prepare the thread; `start` begins."""
        self.limit_bytes = limit_bytes
        self.stream: str | None = None
        self.counts = SpoolCounts()
        self.bytes = 0
        self._waiting = waiting
        self._changed = waiting.changed
        self._settled: list[Settled] = []
        self._asked: Future[SpooledBatch | None] | None = None
        self._sending: int | None = None
        self._stopping = False
        self._shrink_at = 0.0
        self.owner = DatabaseOwner("central-spool", path, SCHEMA, self)

    def start(self) -> None:
        """Start the thread."""
        self.owner.start()

    def ask(self) -> Future[SpooledBatch | None]:
        """Ask for the oldest batch; answered once there is one, None when none is to come."""
        with self._changed:
            self._asked = Future()
            self._changed.notify_all()
            return self._asked

    def settle(self, seq: int, outcome: str) -> None:
        """Say what became of the batch that was asked for."""
        with self._changed:
            self._settled.append(Settled(seq, outcome))
            self._changed.notify_all()

    def stop(self, timeout: float) -> None:
        """Commit what waits, for at most `timeout` seconds, and end the thread."""
        with self._changed:
            self._waiting.closed = self._stopping = True
            self._changed.notify_all()
        self.owner.join(timeout)
        if left := self._waiting.abandon():
            logger.error("%d flows are lost: the spool could not be written before the stop", left)

    def opened(self, engine: Engine) -> None:
        """Begin with a file."""
        spool = Spool(engine)
        self.stream = spool.stream()
        self._sending = None
        self._look(engine, spool)

    def turn(self, engine: Engine) -> None:
        """Do what waits."""
        self._wait()
        spool = Spool(engine)
        tables = self._waiting.take()
        with self._changed:
            settled = list(self._settled)
        if tables or settled:
            spool.commit(list(self._waiting.batches(tables)), settled)
            self._waiting.done(tables)
            with self._changed:
                del self._settled[: len(settled)]
                self._sending = None if settled else self._sending
            self._make_room(engine, spool)
            self._look(engine, spool)
        self._answer(spool)
        if time.monotonic() >= self._shrink_at:
            shrink(engine, SHRINK_PAGES)
            self._shrink_at = time.monotonic() + SHRINK_SECONDS

    def failed(self) -> None:
        """Wake those who wait."""
        with self._changed:
            self._changed.notify_all()

    def rest(self, seconds: float) -> None:
        """Wait in spite of work, unless the end comes."""
        with self._changed:
            before = self._stopping
            self._changed.wait_for(lambda: self._stopping != before, seconds)

    def over(self) -> bool:
        """Return whether the end has come and nothing waits."""
        with self._changed:
            return self._stopping and not self._waiting.flows and not self._settled

    def _wait(self) -> None:
        with self._changed:
            due = self._waiting.due_seconds()
            seconds = TICK_SECONDS if due is None else min(due, TICK_SECONDS)
            self._changed.wait_for(self._has_work, seconds)

    def _has_work(self) -> bool:
        answerable = self._asked is not None and (self.counts.batches or self._waiting.closed)
        return bool(self._stopping or self._settled or answerable or self._waiting.due_seconds() == 0.0)

    def _make_room(self, engine: Engine, spool: Spool) -> None:
        while used_bytes(engine) > self.limit_bytes and (dropped := spool.make_room(self._sending)):
            logger.warning("%d flows dropped: %s holds %d bytes", dropped, "spool.db", self.limit_bytes)

    def _look(self, engine: Engine, spool: Spool) -> None:
        self.counts, self.bytes = spool.counts(), used_bytes(engine)

    def _answer(self, spool: Spool) -> None:
        with self._changed:
            asked, closed = self._asked, self._waiting.closed
        if asked is None:
            return
        batch = spool.first()
        if batch is None and not (closed and not self._waiting.flows):
            return
        with self._changed:
            self._asked = None
            self._sending = batch.seq if batch else None
        try:
            asked.set_result(batch)
        except InvalidStateError:  # nobody waits any more
            self._sending = None
