"""Operating thresholds: what traffic that is taken to be benign says of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

THRESHOLD_DIGITS: Final = 6
SECONDS_A_DAY: Final = 86_400
LONGEST_SILENCE_US: Final = 900_000_000
"""When no flow was open for longer, nobody was listening: such time is not counted as covered."""


def lowest_threshold(scores: NDArray[np.float64], allowed: int) -> float:
    """Return the lowest threshold of 6 digits that flags at most `allowed` of n scores.

    Raises:
        ValueError: no threshold up to 1 does.
    """
    unit = 10.0**-THRESHOLD_DIGITS
    if allowed >= len(scores):
        return unit
    highest_passed = float(np.partition(scores, len(scores) - 1 - allowed)[len(scores) - 1 - allowed])
    threshold = max(round(math.ceil(highest_passed / unit) * unit, THRESHOLD_DIGITS), unit)
    if threshold <= highest_passed:
        threshold = round(threshold + unit, THRESHOLD_DIGITS)
    if threshold > 1:
        raise ValueError(
            f"no threshold flags at most {allowed:,} of these {len(scores):,} flows: "
            "the model is sure that more are attacks"
        )
    return threshold


class Coverage:
    """The time in which traffic was seen, from the starts and ends of its flows.

    Flows that overlap, or are at most LONGEST_SILENCE_US apart, are one stretch of it.
    """

    def __init__(self) -> None:
        self._starts = np.empty(0, np.int64)
        self._ends = np.empty(0, np.int64)

    def add(self, start_us: NDArray[np.int64], end_us: NDArray[np.int64]) -> None:
        """Count n flows in, in any order; UTC microseconds."""
        starts = np.concatenate([self._starts, np.minimum(start_us, end_us)])
        ends = np.concatenate([self._ends, np.maximum(start_us, end_us)])
        if not len(starts):
            return
        order = np.argsort(starts, kind="stable")
        starts, reached = starts[order], np.maximum.accumulate(ends[order])
        begins = np.flatnonzero(starts[1:] - reached[:-1] > LONGEST_SILENCE_US) + 1
        self._starts = starts[np.concatenate([[0], begins])]
        self._ends = reached[np.concatenate([begins - 1, [len(reached) - 1]])]

    @property
    def seconds(self) -> float:
        """How long that is, silences in between left out."""
        return float((self._ends - self._starts).sum()) / 1e6


@dataclass(frozen=True, slots=True)
class ScoredTraffic:
    """Traffic as a model sees it.

    Attributes:
        p_attack: float64; 1 - P(benign) of the flows that could be scored.
        insufficient: how many flows could not; they are never flagged.
        seconds: the time it covers, more than 0.
    """

    p_attack: NDArray[np.float64]
    insufficient: int
    seconds: float

    @property
    def flows(self) -> int:
        """All flows."""
        return len(self.p_attack) + self.insufficient

    @property
    def days(self) -> float:
        """The time it covers in days."""
        return self.seconds / SECONDS_A_DAY

    def threshold_for(self, flagged_a_day: float) -> float:
        """Return the lowest threshold that flags at most so many of such flows a day.

        Raises:
            ValueError: no threshold up to 1 does.
        """
        return lowest_threshold(self.p_attack, math.floor(flagged_a_day * self.days))

    def at(self, threshold: float) -> Flagged:
        """Return what a threshold flags."""
        flagged = int((self.p_attack >= threshold).sum())
        return Flagged(threshold, flagged, flagged / self.days, flagged / max(self.flows, 1))

    def around(self, flagged_a_day: float, others: Iterable[float] = ()) -> list[Flagged]:
        """Return the trade-off from a tenth to ten times a number of flagged flows a day.

        Thresholds descend; `others` are taken in too. What no threshold reaches is left out.
        """
        thresholds = set(others)
        for factor in (0.1, 0.2, 0.5, 1, 2, 5, 10):
            try:
                thresholds.add(self.threshold_for(factor * flagged_a_day))
            except ValueError:
                continue
        return [self.at(threshold) for threshold in sorted(thresholds, reverse=True)]


@dataclass(frozen=True, slots=True)
class Flagged:
    """What a threshold flags.

    Attributes:
        threshold: flows at or above it are flagged.
        flows: how many flows are.
        a_day: how many would be in a day of such traffic.
        share: the share of all flows.
    """

    threshold: float
    flows: int
    a_day: float
    share: float
