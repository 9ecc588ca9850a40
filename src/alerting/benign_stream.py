"""The stream of benign flows to one queue: best effort, apart from the alerts, so that it delays none."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

from alerting.alert_flow import AlertFlow, FlowRows
from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.eve import eve_time
from alerting.flow_row import flow_row, seen_where
from alerting.message import Message
from alerting.transports.transport import Transport
from flows.table import FlowTable
from flows.verdicts import BENIGN, Verdicts

MAX_FLOWS: Final = 10_000
BACK_OFF_SECONDS: Final = (1.0, 30.0)

QUEUE_FULL: Final = "queue full"
NOT_TAKEN: Final = "not taken"
STOPPED: Final = "stopped"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BenignStatus:
    """What became of benign flows: offered = published + dropped + waiting.

    Attributes:
        transport: where they go.
        running: the thread is alive.
        offered: flows that came.
        published: those the transport took.
        dropped: those that it never will, by reason: queue full, not taken, stopped.
        waiting: those that wait, the ones being sent included.
        capacity: how many may.
        error: why the last ones were not taken, None when they were.
    """

    transport: str
    running: bool
    offered: int
    published: int
    dropped: dict[str, int]
    waiting: int
    capacity: int
    error: str | None


class BenignStream:
    """A thread that publishes what `put` brings, from a bounded queue; nothing is sent twice."""

    def __init__(
        self,
        transport: Transport,
        *,
        max_flows: int = MAX_FLOWS,
        back_off: tuple[float, float] = BACK_OFF_SECONDS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make a stream that is not running yet.

        Args:
            transport: takes the messages; the stream's own, which it closes.
            max_flows: how many may wait.
            back_off: first and longest pause after messages that were not taken.
            clock: where the time comes from.
        """
        self._transport = transport
        self._max_flows = max_flows
        self._back_off = back_off
        self._clock = clock
        self._queue: deque[tuple[FlowTable, Verdicts, str]] = deque()
        self._offered = 0
        self._published = 0
        self._dropped: Counter[str] = Counter()
        self._waiting = 0
        self._error: str | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name=f"benign-{transport.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, table: FlowTable, verdicts: Verdicts, source: str) -> None:
        """Take over the benign flows of a table; never blocks, drops (and counts) when the queue is full."""
        rows = ~(verdicts.is_attack | verdicts.insufficient)
        benign = int(rows.sum())
        if not benign:
            return
        with self._changed:
            self._offered += benign
            room = max(0, self._max_flows - self._waiting)
            if room < benign:
                self._dropped[QUEUE_FULL] += benign - room
            taken = min(room, benign)
            if taken and not self._stopping:
                kept = rows.nonzero()[0][:taken]
                self._queue.append((table.take(kept), verdicts.take(kept), source))
                self._waiting += taken
                self._changed.notify()
            elif taken:
                self._dropped[STOPPED] += taken

    def stop(self, timeout: float) -> None:
        """Drop what waits and end the thread, for at most `timeout` seconds."""
        with self._changed:
            self._stopping = True
            self._dropped[STOPPED] += sum(len(table) for table, _, _ in self._queue)
            self._waiting -= sum(len(table) for table, _, _ in self._queue)
            self._queue.clear()
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def status(self) -> BenignStatus:
        """Return the counters."""
        with self._changed:
            return BenignStatus(
                transport=self._transport.name,
                running=self._thread.is_alive(),
                offered=self._offered,
                published=self._published,
                dropped={reason: flows for reason, flows in self._dropped.items() if flows},
                waiting=self._waiting,
                capacity=self._max_flows,
                error=self._error,
            )

    def _run(self) -> None:
        shortest, longest = self._back_off
        pause = shortest
        while (batch := self._next()) is not None:
            for first in range(0, len(batch), self._transport.batch):
                part = slice(first, first + self._transport.batch)
                if self._publish(batch, range(*part.indices(len(batch)))):
                    pause = shortest
                    continue
                self._pause(pause)
                pause = min(2 * pause, longest)
        self._transport.close()

    def _next(self) -> FlowRows | None:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._stopping)
            return FlowRows(*self._queue.popleft()) if self._queue else None

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping, timeout=seconds)

    def _publish(self, rows: FlowRows, part: range) -> bool:
        """Send some rows; return whether the transport took any, or is not to be asked any more."""
        if self._stopping:
            self._settle(0, len(part), STOPPED, None)
            return True
        try:
            now = self._clock.wall_us()
            errors = self._transport.send([benign_message(rows.flow(row), now) for row in part])
        except Exception as error:
            logger.debug("benign flows to %s", self._transport.name, exc_info=True)
            errors = [str(error) or type(error).__name__] * len(part)
        failed = [error for error in errors if error is not None]
        self._settle(len(part) - len(failed), len(failed), NOT_TAKEN, failed[0] if failed else None)
        return len(failed) < len(part)

    def _settle(self, published: int, dropped: int, reason: str, error: str | None) -> None:
        with self._changed:
            self._published += published
            self._dropped[reason] += dropped
            self._waiting -= published + dropped
            self._error = error


def benign_message(flow: AlertFlow, made_us: int) -> Message:
    """Return the message of a benign flow: its row, with who saw it."""
    row = {**flow_row(flow, prediction=0.0), **seen_where(flow)}
    return Message(
        message_id=f"benign-{flow.flow_uid:016x}-{flow.revision}",
        kind="benign",
        alert_id=None,
        revision=0,
        made_us=made_us,
        eve={"timestamp": eve_time(made_us), "event_type": "flow"},
        columns=tuple(row),
        values=tuple(row.values()),
        attributes={"prediction": BENIGN, "kind": "benign", "sensor": flow.shared.sensor},
    )
