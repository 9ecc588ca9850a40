"""The thread that archives scored flows, and what it says of itself."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.archive import hour_of
from flows.archive_writer import ArchiveContents, ArchiveWriter
from flows.scored import with_verdicts
from flows.table import FlowTable, concat_tables
from flows.verdicts import Verdicts

PART_FLOWS: Final = 1 << 12
PART_SECONDS: Final = 60.0
"""Flows wait for one of these two; what waits is lost when the process is killed."""

CAPACITY: Final = 16 * PART_FLOWS
BACK_OFF_SECONDS: Final = (0.1, 5.0)
SECONDS_AN_HOUR: Final = 3600
QUEUE_FULL: Final = "queue full"
NOT_WRITTEN: Final = "not written"
REMEDY: Final = "make STATE_DIR/flows writable, with room on its disk, or set FLOW_ARCHIVE_GB=0"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FlowArchiveStatus:
    """What became of the flows to be archived: written + dropped + queued.

    Attributes:
        enabled: flows are archived.
        running: the thread is alive.
        restarts: how often its work was taken up again after a failure.
        written: flows written.
        dropped: flows that were not, by reason.
        queued: flows that wait; at most `capacity`.
        capacity: how many may wait.
        contents: the files.
        deleted: files deleted to keep the limit.
        limit_bytes: the limit.
        error: why the last write failed and what to do, None when it did not.
    """

    enabled: bool
    running: bool
    restarts: int
    written: int
    dropped: dict[str, int]
    queued: int
    capacity: int
    contents: ArchiveContents
    deleted: int
    limit_bytes: int
    error: str | None


@dataclass(frozen=True, slots=True)
class _Batch:
    table: FlowTable
    verdicts: Verdicts
    at: float


class FlowArchive:
    """Archives flows with what was thought of them; nothing here raises or blocks for the archive's sake.

    The extras of an archived flow are those of `flows.scored.with_verdicts`.
    """

    def __init__(
        self,
        directory: Path,
        limit_bytes: int,
        *,
        capacity: int = CAPACITY,
        part_flows: int = PART_FLOWS,
        part_seconds: float = PART_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Make an archive that is not running yet.

        Args:
            directory: where its files lie.
            limit_bytes: what they may take together; 0: nothing is archived or deleted.
            capacity: how many flows may wait.
            part_flows, part_seconds: flows are written when so many wait, or one waits so long.
            clock: seconds since 1970.
        """
        self._writer = ArchiveWriter(directory, limit_bytes)
        self._limit = limit_bytes
        self._capacity = capacity
        self._part_flows = part_flows
        self._part_seconds = part_seconds
        self._clock = clock
        self._queue: deque[_Batch] = deque()
        self._queued = 0
        self._written = 0
        self._dropped: Counter[str] = Counter()
        self._restarts = 0
        self._error: str | None = None
        self._contents = ArchiveContents(0, 0, None)
        self._finished_at = ""
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="archive", daemon=True)

    def start(self) -> None:
        """Start the thread, if anything is to be archived."""
        if self._limit:
            self._thread.start()

    def put(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Take over scored flows; never blocks, drops (and counts) the last ones when too many wait."""
        if not self._limit:
            return
        with self._changed:
            room = self._capacity - self._queued
            if room < len(table):
                self._dropped[QUEUE_FULL] += len(table) - room
                table, verdicts = table.take(slice(room)), verdicts.take(slice(room))
            if len(table):
                self._queue.append(_Batch(table, verdicts, self._clock()))
                self._queued += len(table)
                if len(self._queue) == 1 or self._due():
                    self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Write what waits, for at most `timeout` seconds, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if not self._thread.is_alive():
            self._writer.close()

    def status(self) -> FlowArchiveStatus:
        """Return the counters, all of one moment."""
        with self._changed:
            return FlowArchiveStatus(
                enabled=self._limit > 0,
                running=self._thread.is_alive(),
                restarts=self._restarts,
                written=self._written,
                dropped=dict(self._dropped),
                queued=self._queued,
                capacity=self._capacity,
                contents=self._contents,
                deleted=self._writer.deleted,
                limit_bytes=self._limit,
                error=self._error,
            )

    def _run(self) -> None:
        shortest, longest = BACK_OFF_SECONDS
        pause = shortest
        while True:
            try:
                self._work()
                return
            except Exception:
                logger.exception("archiving failed and goes on in %.1f s", pause)
                with self._changed:
                    self._restarts += 1
                    self._changed.wait_for(lambda: self._stopping, pause)
                pause = min(2 * pause, longest)

    def _work(self) -> None:
        self._look()
        while True:
            with self._changed:
                if not self._due():
                    self._changed.wait(self._pause())
                stopping = self._stopping
                due = self._due()
            wrote = False
            while due and (chunk := self._take_alike()):
                self._write(chunk)
                wrote = True
            if wrote or (self._writer.has_parts() and hour_of(self._clock()) != self._finished_at):
                self._finish()
            if stopping:
                return

    def _due(self) -> bool:
        if self._stopping or self._queued >= self._part_flows:
            return True
        return bool(self._queue) and not 0 <= self._clock() - self._queue[0].at < self._part_seconds

    def _pause(self) -> float | None:
        """Return how long to wait for more flows, None for ever; called with the lock held."""
        now = self._clock()
        if self._queue:
            return max(self._queue[0].at + self._part_seconds - now, 0.0)
        return SECONDS_AN_HOUR - now % SECONDS_AN_HOUR if self._writer.has_parts() else None

    def _take_alike(self) -> list[_Batch]:
        """Take the first flows that one part can hold off the queue; they still count as queued."""
        taken: list[_Batch] = []
        flows = 0
        with self._changed:
            while self._queue and (not taken or _alike(taken[0], self._queue[0])):
                if taken and flows + len(self._queue[0].table) > self._part_flows:
                    break
                taken.append(self._queue.popleft())
                flows += len(taken[-1].table)
        return taken

    def _write(self, chunk: list[_Batch]) -> None:
        flows = sum(len(batch.table) for batch in chunk)
        written = False
        try:
            table = concat_tables([with_verdicts(batch.table, batch.verdicts) for batch in chunk])
            self._writer.write(table, hour_of(chunk[0].at))
            written = True
        except OSError as error:
            self._say(error)
        finally:
            with self._changed:
                self._queued -= flows
                if written:
                    self._written += flows
                    self._error = None
                else:
                    self._dropped[NOT_WRITTEN] += flows

    def _finish(self) -> None:
        self._finished_at = hour_of(self._clock())
        try:
            self._writer.finish(self._finished_at)
        except OSError as error:
            self._say(error)
        self._look()

    def _look(self) -> None:
        contents = self._writer.contents()
        with self._changed:
            self._contents = contents

    def _say(self, error: OSError) -> None:
        message = f"{error}; {REMEDY}"
        if message != self._error:
            logger.error("flows are not archived: %s", message)
        self._error = message


def _alike(one: _Batch, other: _Batch) -> bool:
    same = (
        getattr(one.table, name) == getattr(other.table, name)
        for name in ("feature_names", "dialect", "sensor")
    )
    return (
        hour_of(one.at) == hour_of(other.at)
        and all(same)
        and set(one.table.extras) == set(other.table.extras)
    )
