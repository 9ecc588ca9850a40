"""Captured flows that wait to be scored."""

from __future__ import annotations

from collections import deque

from flows.table import FlowTable, concat_tables


class CapturedQueue:
    """Tables in the order they came; not safe to use from several threads."""

    def __init__(self) -> None:
        self._tables: deque[FlowTable] = deque()

    def __bool__(self) -> bool:
        return bool(self._tables)

    def put(self, table: FlowTable) -> None:
        """Append a table."""
        self._tables.append(table)

    def put_back(self, table: FlowTable) -> None:
        """Take a table back that nobody could judge: it is the first again."""
        self._tables.appendleft(table)

    def clear(self) -> None:
        """Forget all."""
        self._tables.clear()

    def take(self, flows: int) -> FlowTable:
        """Return the next flows as one table: at most so many, all of one sensor, interface and dialect.

        Raises:
            IndexError: nothing waits.
        """
        batch = [self._first(flows)]
        room = flows - len(batch[0])
        while room and self._tables and _joinable(batch[0], self._tables[0]):
            batch.append(self._first(room))
            room -= len(batch[-1])
        return concat_tables(batch)

    def _first(self, flows: int) -> FlowTable:
        table = self._tables.popleft()
        if len(table) > flows:
            self._tables.appendleft(table.take(slice(flows, None)))
            table = table.take(slice(flows))
        return table


def _joinable(one: FlowTable, other: FlowTable) -> bool:
    return all(
        getattr(one, name) == getattr(other, name)
        for name in ("feature_names", "dialect", "sensor", "interface")
    )
