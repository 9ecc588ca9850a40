"""Captured flows that wait in memory to become a batch."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flows.table import FlowTable, concat_tables
from inference_server.bodies.flow_batch import encode_flows
from inference_server.central.spool import NewBatch

CAPACITY: Final = 65_536
"""Flows that may wait; some 40 MB."""

BATCH_FLOWS: Final = 4096
BATCH_SECONDS: Final = 1.0
"""A batch is made when so many flows wait, or one waits so long; what waits is lost when the process is
killed."""

MEMORY_FULL: Final = "memory full"
STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class _Table:
    flows: FlowTable
    came_us: int
    came: float


class Waiting:
    """Bounded by flows; what was taken stays until it is `done`. Its lock is `changed`."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.changed = threading.Condition()
        self.capacity = capacity
        self.handed_over = 0
        self.lost: Counter[str] = Counter()
        self.flows = 0
        self.closed = False
        self._tables: list[_Table] = []

    def put(self, table: FlowTable) -> int:
        """Take flows over without waiting; return how many there was no room for, which are the last ones."""
        with self.changed:
            room = 0 if self.closed else max(self.capacity - self.flows, 0)
            lost = max(len(table) - room, 0)
            self.handed_over += len(table)
            self.lost[STOPPED if self.closed else MEMORY_FULL] += lost
            kept = table.take(slice(0, room)) if lost else table
            if len(kept):
                self._tables.append(_Table(kept, time.time_ns() // 1000, time.monotonic()))
                self.flows += len(kept)
                self.changed.notify_all()
        return lost

    def due_seconds(self) -> float | None:
        """Return how long until a batch is to be made, None while nothing waits; `changed` is held."""
        if not self._tables:
            return None
        if self.closed or self.flows >= BATCH_FLOWS:
            return 0.0
        return max(self._tables[0].came + BATCH_SECONDS - time.monotonic(), 0.0)

    def take(self) -> list[FlowTable]:
        """Return what waits if a batch is to be made of it; it stays here until it is `done`."""
        with self.changed:
            return [each.flows for each in self._tables] if self.due_seconds() == 0.0 else []

    def batches(self, tables: list[FlowTable]) -> Iterator[NewBatch]:
        """Yield batches of taken tables, encoded: each of one kind, of at most BATCH_FLOWS flows."""
        with self.changed:
            came_us = self._tables[0].came_us if tables else 0
        kinds: dict[tuple[object, ...], list[FlowTable]] = {}
        for table in tables:
            kinds.setdefault(_kind(table), []).append(table)
        for alike in kinds.values():
            whole = concat_tables(alike)
            for start in range(0, len(whole), BATCH_FLOWS):
                part = whole.take(slice(start, start + BATCH_FLOWS))
                yield NewBatch(len(part), came_us, encode_flows(part))

    def done(self, tables: list[FlowTable]) -> None:
        """Let go of what was taken and committed."""
        with self.changed:
            del self._tables[: len(tables)]
            self.flows -= sum(map(len, tables))

    def close(self) -> None:
        """Take nothing more."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def abandon(self) -> int:
        """Count what waits as lost, for the end; return how many flows that are."""
        with self.changed:
            left, self.flows = self.flows, 0
            self._tables.clear()
            self.lost[STOPPED] += left
            return left


def _kind(table: FlowTable) -> tuple[object, ...]:
    return table.feature_names, table.dialect, table.sensor, table.interface, tuple(table.extras)
