"""A set of labelled flows in three parts: for training, for validation and for the test."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.dataset import LabelledFlows
from training.splits import Split, training_rows

STRATEGIES: Final = {"random": Split.RANDOM, "grouped": Split.GROUPED, "time-ordered": Split.TIME_ORDERED}


def split_rows(
    flows: LabelledFlows, strategy: str, *, val_size: float, test_size: float, seed: int
) -> dict[str, NDArray[np.intp]]:
    """Return the rows of `train`, `val` and `test`, ascending.

    Args:
        flows: in the order of their start, without repeated rows.
        strategy: one of STRATEGIES.
        val_size, test_size: shares of all rows; 0 for an empty part.
        seed: of what is random.

    Raises:
        ValueError: nothing is left to train on, or the flows do not tell what the strategy goes by.
    """
    if val_size + test_size >= 1:
        raise ValueError(f"--val-size {val_size:g} and --test-size {test_size:g} leave nothing to train on")
    rows = np.arange(len(flows))
    rows, test = _parted(flows, rows, strategy, test_size, seed)
    train, val = _parted(flows, rows, strategy, val_size / (1 - test_size), seed)
    return {"train": train, "val": val, "test": test}


def _parted(
    flows: LabelledFlows, rows: NDArray[np.intp], strategy: str, share: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if not share:
        return rows, rows[:0]
    # The features have no say, and there are millions of them.
    bare = LabelledFlows.of(
        np.empty((len(rows), 0)),
        (),
        flows.codes[rows],
        flows.dialect,
        start_us=flows.start_us[rows],
        pair=flows.pair[rows],
    )
    chosen = training_rows(bare, STRATEGIES[strategy], 1 - share, seed)
    return rows[chosen], rows[~chosen]
