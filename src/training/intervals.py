"""95 % intervals: Wilson's of shares, the bootstrap's of F1."""

from __future__ import annotations

from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Z: Final = 1.959963984540054
"""The normal distribution's 97.5 % quantile."""
LEVELS: Final = (0.025, 0.975)
DRAWS: Final = 1000
SEED: Final = 42


class Interval(NamedTuple):
    """Where a figure lies with 95 % confidence."""

    low: float
    high: float


ANYWHERE: Final = Interval(0.0, 1.0)
"""Of a share of nothing."""


def wilson(hits: int, n: int) -> Interval:
    """Return the interval of the share `hits` of `n`."""
    if not n:
        return ANYWHERE
    share, spread = hits / n, Z * Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # Rounding must not put the share itself outside.
    return Interval(max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def f1_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the F1 of C classes, 0 where nothing divides, of counts (..., C, C): class, then label given."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    total = counts.sum(axis=-1) + counts.sum(axis=-2)
    f1: NDArray[np.float64] = np.divide(2 * hits, total, out=np.zeros(hits.shape), where=total > 0)
    return f1


def bootstrapped_f1(
    counts: NDArray[np.int64], *, draws: int = DRAWS, seed: int = SEED
) -> NDArray[np.float64]:
    """Return draws x C values of F1: n flows of a confusion matrix (C x C) drawn anew with replacement.

    The matrix tells flows of one cell apart by nothing, so drawing cells is drawing flows. A class that a
    draw has no flow of is NaN there: nobody would report its F1.
    """
    total = int(counts.sum())
    cells = np.random.default_rng(seed).multinomial(total, counts.ravel() / total, size=draws)
    drawn = cells.reshape(draws, *counts.shape)
    found: NDArray[np.float64] = np.where(drawn.sum(axis=-1) > 0, f1_of(drawn), np.nan)
    return found


def percentiles(values: NDArray[np.float64]) -> Interval:
    """Return the interval that holds 95 % of drawn values, those that are NaN left out."""
    known = values[~np.isnan(values)]
    if not len(known):
        return ANYWHERE
    low, high = np.quantile(known, LEVELS).tolist()
    return Interval(low, high)
