"""How many flows got which verdict, from whom."""

from __future__ import annotations

import threading
from collections import Counter

import numpy as np

from flows.verdicts import INSUFFICIENT, Verdicts, verdict_name


class VerdictCounts:
    """Counts verdicts by source and label; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, verdicts: Verdicts, source: str) -> None:
        """Count the verdicts of one batch."""
        insufficient = int(np.count_nonzero(verdicts.insufficient))
        codes = Counter(verdicts.code[~verdicts.insufficient].tolist())
        with self._lock:
            if insufficient:
                self._counts[source, INSUFFICIENT] += insufficient
            for code, count in codes.items():
                self._counts[source, verdict_name(code)] += count

    def snapshot(self) -> dict[tuple[str, str], int]:
        """Return flows by (source, label)."""
        with self._lock:
            return dict(self._counts)
