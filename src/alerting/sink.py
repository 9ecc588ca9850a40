"""The sink: one thread that takes verdicts to the prediction logs."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

from alerting.line_file import LineFileStatus
from alerting.prediction_log import PredictionLog
from alerting.verdict_counts import VerdictCounts
from flows.table import FlowTable
from flows.verdicts import Verdicts

MAX_FLOWS: Final = 100_000
BACK_OFF_SECONDS: Final = (0.1, 5.0)
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """What the sink did so far.

    Attributes:
        running: its thread is alive.
        restarts: how often the thread's loop failed and was started again.
        queued: flows waiting to be written; at most `capacity`.
        capacity: how many may wait.
        dropped: flows not written because the queue was full or writing them failed.
        verdicts: flows judged, by (source, label), dropped ones included.
        files: the log files' counters.
    """

    running: bool
    restarts: int
    queued: int
    capacity: int
    dropped: int
    verdicts: dict[tuple[str, str], int]
    files: tuple[LineFileStatus, ...]


@dataclass(frozen=True, slots=True)
class _Batch:
    table: FlowTable
    verdicts: Verdicts
    source: str


class Sink:
    """Counts every verdict and writes the wanted ones, in order, from a bounded queue."""

    def __init__(self, log: PredictionLog, *, max_flows: int = MAX_FLOWS) -> None:
        self._log = log
        self._max_flows = max_flows
        self._counts = VerdictCounts()
        self._queue: deque[_Batch] = deque()
        self._queued = 0
        self._dropped = 0
        self._restarts = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, table: FlowTable, verdicts: Verdicts, source: str) -> None:
        """Take over the verdicts of a table; never blocks, drops (and counts) when the queue is full."""
        self._counts.add(verdicts, source)
        rows = self._log.wanted(verdicts)
        if not rows.any():
            return
        batch = _Batch(table.take(rows), verdicts.take(rows), source)
        with self._changed:
            room = self._max_flows - self._queued
            if room < len(batch.table):
                self._dropped += len(batch.table) - room
                batch = _Batch(batch.table.take(slice(room)), batch.verdicts.take(slice(room)), source)
            if len(batch.table):
                self._queue.append(batch)
                self._queued += len(batch.table)
                self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Write what is queued, for at most `timeout` seconds, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if not self._thread.is_alive():
            self._log.close()

    def status(self) -> SinkStatus:
        """Return the counters."""
        with self._changed:
            queued, dropped, restarts = self._queued, self._dropped, self._restarts
        return SinkStatus(
            running=self._thread.is_alive(),
            restarts=restarts,
            queued=queued,
            capacity=self._max_flows,
            dropped=dropped,
            verdicts=self._counts.snapshot(),
            files=self._log.status(),
        )

    def _run(self) -> None:
        shortest, longest = BACK_OFF_SECONDS
        pause = shortest
        while True:
            try:
                self._drain()
            except Exception:
                logger.exception("the sink failed; it starts again in %.1f s", pause)
                with self._changed:
                    self._restarts += 1
                    self._changed.wait_for(lambda: self._stopping, timeout=pause)
                pause = min(2 * pause, longest)
            else:
                return

    def _drain(self) -> None:
        while batch := self._next():
            written = False
            try:
                self._log.write(batch.table, batch.verdicts, batch.source)
                written = True
            finally:
                with self._changed:
                    self._queued -= len(batch.table)
                    self._dropped += 0 if written else len(batch.table)

    def _next(self) -> _Batch | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping)
            return self._queue.popleft() if self._queue else None
