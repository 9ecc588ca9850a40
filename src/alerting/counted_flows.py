"""Which verdicts tell of a flow that was counted before: it was scored provisionally, and went on."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.table import FlowTable

KEPT: Final = 65_536
"""Flows that went on after a verdict counted, at most; of more, the oldest are counted again."""


class CountedFlows:
    """Remembers what was said of flows that went on. One thread uses it."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._codes: dict[int, int] = {}

    def first_told(self, table: FlowTable, codes: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Take rows and the codes of their classes; return which say what their flow's last did not."""
        told = np.ones(len(table), np.bool_)
        for row in np.flatnonzero(table.provisional | (table.revision > 0)):
            uid, code = int(table.flow_uid[row]), int(codes[row])
            told[row] = self._codes.pop(uid, None) != code
            if table.provisional[row]:
                self._codes[uid] = code
        while len(self._codes) > self._kept:
            del self._codes[next(iter(self._codes))]
        return told
