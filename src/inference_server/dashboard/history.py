"""Traffic over time, from the poller's samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from inference_server.dashboard.snapshot import Totals

POINTS: Final = 120


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters at one time, seconds since the epoch."""

    time: float
    totals: Totals


def series(samples: Sequence[Sample], name: str, points: int = POINTS) -> list[list[float]]:
    """Return `[milliseconds, rate a second]` of a counter, at most `points` of them, ascending."""
    step = max(1, (len(samples) - 1 + points - 1) // points)
    # Counted from the newest, so that a point keeps its samples while others join.
    chosen = list(samples)[::-step][::-1]
    return [
        [
            round(after.time * 1000),
            round(
                max(getattr(after.totals, name) - getattr(before.totals, name), 0)
                / (after.time - before.time),
                3,
            ),
        ]
        for before, after in pairwise(chosen)
        if after.time > before.time
    ]
