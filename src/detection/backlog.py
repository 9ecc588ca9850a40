"""Judged flows that wait for a second model, which looks at them when nobody waits for the first."""

from __future__ import annotations

from collections import deque
from typing import Final

from flows.table import FlowTable
from flows.verdicts import Verdicts

CAPACITY: Final = 16_384
"""Flows that may wait."""

STEP_FLOWS: Final = 256
"""Flows that are looked at in one go: whoever comes meanwhile waits for no more."""


class Backlog:
    """Tables with their verdicts, the oldest first, in steps. Not thread-safe."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._steps: deque[tuple[FlowTable, Verdicts]] = deque()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """Flows that wait."""
        return self._waiting

    def put(self, table: FlowTable, verdicts: Verdicts) -> int:
        """Take the first flows of a table, as many as there is room for; return how many were left out."""
        room = min(len(table), self._capacity - self._waiting)
        for start in range(0, room, STEP_FLOWS):
            rows = slice(start, min(start + STEP_FLOWS, room))
            self._steps.append((table.take(rows), verdicts.take(rows)))
        self._waiting += room
        return len(table) - room

    def pop(self) -> tuple[FlowTable, Verdicts] | None:
        """Return the oldest step, None when nothing waits."""
        if not self._steps:
            return None
        table, verdicts = self._steps.popleft()
        self._waiting -= len(table)
        return table, verdicts

    def clear(self) -> None:
        """Forget what waits."""
        self._steps.clear()
        self._waiting = 0
