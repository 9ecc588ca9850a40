"""Host context: flow tables in, the same tables with what their hosts did lately out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from context.features import CONTEXT_NAMES
from context.kernel import follow
from context.layout import Position, make_state
from flows.table import FlowTable

STARTS: Final = 1 << 18
"""Starts that the longest window holds: 4,369 flows a second for 60 s. Of more, the oldest leave early."""

KEPT: Final = 1 << 20
"""Contexts that wait for their flows to end, at most."""


FIRST_KEPT: Final = 1 << 12


class ContextStage:
    """Adds the context features to flow tables, whatever the order in which flows end.

    A table waits until all of its flows' starts are known. Not thread-safe.
    """

    def __init__(self, *, starts: int = STARTS, kept: int = KEPT, since: int = 0) -> None:
        """Make a stage.

        Args:
            starts: so many starts the longest window holds.
            kept: so many contexts of flows that have not ended are kept; of more, the oldest are forgotten.
            since: uid of the first flow whose start will be told; those before have no context, and none
                waits for it.
        """
        self._state = make_state(starts)
        self._contexts = _Contexts(kept, since)
        self._waiting: deque[FlowTable] = deque()

    @property
    def crowded_out(self) -> int:
        """Starts that left the longest window before their time."""
        return int(self._state.counters[Position.CROWDED_OUT])

    @property
    def forgotten(self) -> int:
        """Contexts forgotten before their flows ended: these have NaN."""
        return self._contexts.forgotten

    @property
    def waiting(self) -> int:
        """Flows whose tables wait."""
        return sum(map(len, tuple(self._waiting)))

    def learn(self, starts: NDArray[np.void]) -> None:
        """Take in the starts that came since the last call: START rows, in the order of the uids."""
        if not len(starts):
            return
        found = np.empty((len(starts), len(CONTEXT_NAMES)), np.float32)
        follow(starts.view(np.recarray), self._state, found)
        self._contexts.add(starts["uid"].copy(), found)

    def add(self, table: FlowTable) -> Iterator[FlowTable]:
        """Take a table in; yield those whose starts are known, in the order they came."""
        self._waiting.append(table)
        yield from self.ready()

    def ready(self) -> Iterator[FlowTable]:
        """Yield the tables whose starts are known."""
        while self._waiting and self._contexts.known(self._waiting[0].flow_uid):
            yield self._completed(self._waiting.popleft())

    def complete(
        self, tables: Iterable[FlowTable], take_starts: Callable[[], NDArray[np.void]]
    ) -> Iterator[FlowTable]:
        """Yield all of a meter's tables with their context, in the order they came.

        Args:
            tables: what the meter emits.
            take_starts: gives the starts that the meter noted since it was last called.
        """
        for table in tables:
            self.learn(take_starts())
            yield from self.add(table)
        self.learn(take_starts())
        yield from self.ready()
        yield from self.rest()

    def rest(self) -> Iterator[FlowTable]:
        """Yield what still waits, with NaN for flows whose start is not known."""
        while self._waiting:
            yield self._completed(self._waiting.popleft())

    def _completed(self, table: FlowTable) -> FlowTable:
        found = self._contexts.of(table.flow_uid, ~table.provisional)
        return replace(
            table,
            features=np.hstack([table.features, found]),
            feature_names=(*table.feature_names, *CONTEXT_NAMES),
        )


class _Contexts:
    """Contexts by uid, until their flows end."""

    def __init__(self, most: int, since: int) -> None:
        self._most = most
        self._uids = np.zeros(min(most, FIRST_KEPT), np.uint64)
        self._values = np.zeros((len(self._uids), len(CONTEXT_NAMES)), np.float32)
        self._ended = np.zeros(len(self._uids), np.bool_)
        self._size = 0
        self._newest = since - 1
        self.forgotten = 0

    def add(self, uids: NDArray[np.uint64], values: NDArray[np.float32]) -> None:
        """Take contexts in, whose uids are larger than all before."""
        if self._size + len(uids) > len(self._uids):
            self._make_room(len(uids))
        end = self._size + len(uids)
        self._uids[self._size : end] = uids
        self._values[self._size : end] = values
        self._ended[self._size : end] = False
        self._size = end
        self._newest = int(uids[-1])

    def known(self, uids: NDArray[np.uint64]) -> bool:
        """Whether all of these flows' starts were seen."""
        return not len(uids) or int(uids.max()) <= self._newest

    def of(self, uids: NDArray[np.uint64], ended: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the contexts of flows, NaN where there is none; those of flows that ended are let go."""
        found = np.full((len(uids), len(CONTEXT_NAMES)), np.nan)
        at = np.searchsorted(self._uids[: self._size], uids)
        there = at < self._size
        there[there] = self._uids[at[there]] == uids[there]
        found[there] = self._values[at[there]]
        self._ended[at[there & ended]] = True
        return found

    def _make_room(self, more: int) -> None:
        kept = np.flatnonzero(~self._ended[: self._size])
        spare = max(len(kept) + more - self._most, 0)
        self.forgotten += min(spare, len(kept))
        kept = kept[spare:]
        # Twice what is needed: so that room is made as rarely as the store is large.
        room = max(min(2 * (len(kept) + more), self._most), len(kept) + more)
        uids, values = self._uids[kept], self._values[kept]
        self._size = len(kept)
        self._uids, self._ended = np.zeros(room, np.uint64), np.zeros(room, np.bool_)
        self._values = np.zeros((room, len(CONTEXT_NAMES)), np.float32)
        self._uids[: self._size], self._values[: self._size] = uids, values
