"""Rows for a model's golden batch: made by rule, none of them a row of the training data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection.record import LEVELS


def golden_rows(
    features: NDArray[np.float64], codes: NDArray[np.int32], rows: int, seed: int
) -> NDArray[np.float64]:
    """Return `rows` x F raw rows that lead all over the trees.

    Each row takes a class and draws every feature by itself from that class's quantiles; the last rows
    hold what preprocessing must replace.
    """
    random = np.random.default_rng(seed)
    odd = _odd_rows(features.shape[1])
    grids = [_grid(features[codes == code]) for code in np.unique(codes)]
    drawn = [_draw(grids[number % len(grids)], random) for number in range(rows - len(odd))]
    return np.vstack([drawn, odd])


def _grid(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quantiles of n x F rows, F x LEVELS; rates over no time, which are infinite, count as 0."""
    features[np.isinf(features)] = 0.0
    grid: NDArray[np.float64] = np.quantile(features, LEVELS, axis=0).T
    return grid


def _draw(grid: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    return np.array([np.interp(random.random(), LEVELS, row) for row in grid])


def _odd_rows(features: int) -> NDArray[np.float64]:
    values = [0.0, -1.0, -30036.0, np.nan, np.inf, -np.inf, 1e300, 1e-300]
    constant = np.repeat(np.array(values)[:, None], features, axis=1)
    mixed = np.resize(np.array(values), features)
    return np.vstack([constant, mixed])
