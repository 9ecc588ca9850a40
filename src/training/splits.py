"""How labelled flows are split into training and test rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split


def time_ordered(codes: NDArray[np.int32], share: float) -> NDArray[np.bool_]:
    """Return which rows are for training: of every class the first `share` of its rows.

    Args:
        codes: classes of rows that are in the order of time.
        share: between 0 and 1.
    """
    chosen = np.zeros(codes.shape[0], np.bool_)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        chosen[rows[: round(share * len(rows))]] = True
    return chosen


def stratified(codes: NDArray[np.int32], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which rows are for training: of every class a random `share`."""
    train, _ = train_test_split(
        np.arange(codes.shape[0]), train_size=share, stratify=codes, random_state=seed
    )
    chosen = np.zeros(codes.shape[0], np.bool_)
    chosen[train] = True
    return chosen
