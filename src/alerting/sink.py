"""The sink: one thread that takes verdicts to the alerts and to the prediction logs."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from alerting.alert_stream import AlertStream
from alerting.benign_stream import BenignStream
from alerting.line_file import LineFileStatus
from alerting.prediction_log import PredictionLog
from alerting.verdict_counts import VerdictCounts
from flows.table import FlowTable
from flows.verdicts import Verdicts

MAX_FLOWS: Final = 100_000
BACK_OFF_SECONDS: Final = (0.1, 5.0)
TICK_SECONDS: Final = 1.0
"""How often alerts are revised and closed while no verdict comes."""

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
        unalerted: attacks among all flows that no alert heard of, for the same reasons.
        verdicts: flows judged, by (source, label), dropped ones included.
        files: the log files' counters.
    """

    running: bool
    restarts: int
    queued: int
    capacity: int
    dropped: int
    unalerted: int
    verdicts: dict[tuple[str, str], int]
    files: tuple[LineFileStatus, ...]


def _nobody() -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class _Batch:
    table: FlowTable
    verdicts: Verdicts
    source: str
    logged: bool = True
    done: Callable[[], None] = _nobody


class Sink:
    """Counts every verdict, and alerts of and writes the wanted ones, in order, from a bounded queue."""

    def __init__(
        self,
        log: PredictionLog,
        alerts: AlertStream | None = None,
        *,
        max_flows: int = MAX_FLOWS,
        benign: Sequence[BenignStream] = (),
    ) -> None:
        self._log = log
        self._alerts = alerts
        self._benign = tuple(benign)
        self._max_flows = max_flows
        self._counts = VerdictCounts()
        self._queue: deque[_Batch] = deque()
        self._queued = 0
        self._dropped = 0
        self._unalerted = 0
        self._restarts = 0
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(
        self, table: FlowTable, verdicts: Verdicts, source: str, done: Callable[[], None] = _nobody
    ) -> None:
        """Take over the verdicts of a table; never blocks, drops (and counts) when the queue is full.

        `done` is called, by some thread, once its alerts and log lines are what they will be.
        """
        self._counts.add(verdicts, source)
        for stream in self._benign:
            stream.put(table, verdicts, source)
        rows = self._log.wanted(verdicts)
        if rows.any():
            self._queue_up(_Batch(table.take(rows), verdicts.take(rows), source, done=done))
        else:
            done()

    def alert(self, table: FlowTable, verdicts: Verdicts, source: str) -> None:
        """Take over second opinions, for alerts alone: they are neither counted nor logged as verdicts."""
        self._queue_up(_Batch(table, verdicts, source, logged=False))

    def _queue_up(self, batch: _Batch) -> None:
        with self._changed:
            room = self._max_flows - self._queued
            if room < len(batch.table):
                self._dropped += len(batch.table) - room if batch.logged else 0
                self._unalerted += int(batch.verdicts.is_attack[room:].sum())
                rows = slice(room)
                batch = replace(batch, table=batch.table.take(rows), verdicts=batch.verdicts.take(rows))
            if len(batch.table):
                self._queue.append(batch)
                self._queued += len(batch.table)
                self._changed.notify()
                return
        batch.done()

    def stop(self, timeout: float) -> None:
        """Write what is queued, close all alerts, for at most `timeout` seconds, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            logger.error("the sink did not end within %.1f s: what it held is lost", timeout)
        else:
            self._log.close()

    def status(self) -> SinkStatus:
        """Return the counters."""
        with self._changed:
            queued, dropped, restarts = self._queued, self._dropped, self._restarts
            unalerted = self._unalerted
        return SinkStatus(
            running=self._thread.is_alive(),
            restarts=restarts,
            queued=queued,
            capacity=self._max_flows,
            dropped=dropped,
            unalerted=unalerted,
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
        while not self._ended():
            if batch := self._next():
                try:
                    self._alert(batch)
                finally:
                    self._write(batch)
            if self._alerts:
                self._alerts.tick()
        if self._alerts:
            self._alerts.close()

    def _ended(self) -> bool:
        with self._changed:
            return self._stopping and not self._queue

    def _next(self) -> _Batch | None:
        """Return the next batch, None when a tick is due or the end has come."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping, timeout=TICK_SECONDS)
            return self._queue.popleft() if self._queue else None

    def _alert(self, batch: _Batch) -> None:
        if not self._alerts:
            return
        alerted = False
        try:
            self._alerts.take(batch.table, batch.verdicts, batch.source)
            alerted = True
        finally:
            if not alerted:
                with self._changed:
                    self._unalerted += int(batch.verdicts.is_attack.sum())

    def _write(self, batch: _Batch) -> None:
        written = False
        try:
            if batch.logged:
                self._log.write(batch.table, batch.verdicts, batch.source)
            written = True
        finally:
            with self._changed:
                self._queued -= len(batch.table)
                self._dropped += 0 if written else len(batch.table)
            batch.done()
