"""Bins of each feature, made from quantiles of benign training flows."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.record import BenignQuantiles
from flows.jit import kernel

SMALLEST_BIN: Final = 0.1
"""Share of the training flows that a bin has at least, but for those outside of their range."""

Floats = NDArray[np.float64]


class Bins:
    """Bins of F features, E edges each at most; bin i holds values above edge i - 1, up to edge i.

    Quantiles that are equal make one edge: of a feature that is 0 in most flows the first bin is just 0.
    The first and the last bin lie outside of what training saw, which is expected of no flow.

    Attributes:
        edges: float64, F x E, ascending, filled up with infinity.
        expected: float64, F x (E + 1); share of benign training flows in each bin.
    """

    def __init__(self, quantiles: BenignQuantiles) -> None:
        made = [_feature_bins(np.array(quantiles.levels), np.array(row)) for row in quantiles.values]
        longest = max(len(edges) for edges, _ in made)
        self.edges = np.full((len(made), longest), np.inf)
        self.expected = np.zeros((len(made), longest + 1))
        for feature, (edges, shares) in enumerate(made):
            self.edges[feature, : len(edges)] = edges
            self.expected[feature, : len(shares)] = shares


def _feature_bins(levels: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Return a feature's edges and the shares between them."""
    last = np.append(values[1:] > values[:-1], True)
    above, share_up_to = values[last], levels[last]
    share_up_to = share_up_to / share_up_to[-1]
    edges, reached = [np.nextafter(values[0], -np.inf)], [0.0]
    for edge, share in zip(above[:-1].tolist(), share_up_to[:-1].tolist(), strict=True):
        # Levels such as 0.15 - 0.05 are not exactly 0.1.
        if share - reached[-1] > SMALLEST_BIN - 1e-9 and 1.0 - share > SMALLEST_BIN - 1e-9:
            edges.append(edge)
            reached.append(share)
    edges.append(above[-1])
    shares = np.diff([*reached, 1.0])
    return np.array(edges), np.concatenate([[0.0], shares, [0.0]])


@kernel
def count_rows(rows: Floats, edges: Floats, weight: int, counts: NDArray[np.int64]) -> None:
    """Add `weight` for each value of n x F rows to its bin in F x (E + 1) counts; NaN is in none."""
    for row in range(rows.shape[0]):
        for feature in range(rows.shape[1]):
            value = rows[row, feature]
            if np.isnan(value):
                continue
            low, high = 0, edges.shape[1]
            while low < high:
                middle = (low + high) // 2
                if edges[feature, middle] < value:
                    low = middle + 1
                else:
                    high = middle
            counts[feature, low] += weight
