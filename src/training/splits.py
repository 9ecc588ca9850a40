"""How labelled flows are split into training and test rows."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.table import UNKNOWN_TIME
from training.dataset import UNKNOWN_PAIR, LabelledFlows

BLOCK_US: Final = 300_000_000
"""Flows of one host pair that start in the same five minutes are kept together by `grouped`."""


class Split(StrEnum):
    """A way to split, as figures and tables call it."""

    RANDOM = "random split"
    GROUPED = "grouped split"
    TIME_ORDERED = "time-ordered split"


def training_rows(flows: LabelledFlows, split: Split, share: float, seed: int) -> NDArray[np.bool_]:
    """Return which of n flows are for training.

    Raises:
        ValueError: the flows do not tell what the split goes by; or no row is left for testing.
    """
    if split is not Split.RANDOM and (flows.start_us == UNKNOWN_TIME).any():
        raise ValueError(f"{split}: flows without a start are in the set")
    if split is Split.GROUPED and (flows.pair == UNKNOWN_PAIR).any():
        raise ValueError(f"{split}: flows without addresses are in the set")
    if split is Split.RANDOM:
        chosen = stratified(flows.codes, share, seed)
    elif split is Split.GROUPED:
        chosen = grouped(flows.codes, flows.pair, flows.start_us, share, seed)
    else:
        chosen = time_ordered(flows.codes, share)
    if chosen.all() or (flows.codes[~chosen] == 0).all() or (flows.codes[~chosen] != 0).all():
        raise ValueError(f"{split}: no attack or no benign flow is left for testing")
    return chosen


def time_ordered(codes: NDArray[np.int32], share: float) -> NDArray[np.bool_]:
    """Return which rows are for training: of every class the first `share` of its rows, and at least one.

    Args:
        codes: classes of rows that are in the order of time.
        share: between 0 and 1.
    """
    chosen = np.zeros(codes.shape[0], np.bool_)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        chosen[rows[: max(round(share * len(rows)), 1)]] = True
    return chosen


def stratified(codes: NDArray[np.int32], share: float, seed: int) -> NDArray[np.bool_]:
    """Return which rows are for training: of every class a random `share`, and at least one row."""
    random = np.random.default_rng(seed)
    chosen = np.zeros(codes.shape[0], np.bool_)
    for code in np.unique(codes):
        rows = random.permutation(np.flatnonzero(codes == code))
        chosen[rows[: max(round(share * len(rows)), 1)]] = True
    return chosen


def grouped(
    codes: NDArray[np.int32],
    pair: NDArray[np.int64],
    start_us: NDArray[np.int64],
    share: float,
    seed: int,
    *,
    block_us: int = BLOCK_US,
) -> NDArray[np.bool_]:
    """Return which rows are for training, those of one host pair and time block being there all or none.

    Of every class about `share` of the rows: random groups of which it has the most rows, until there are
    enough. The last group is always for testing, unless it is the only one, which is for training.

    Args:
        codes, pair, start_us: class, number of the host pair and start of n rows.
        share: between 0 and 1.
        seed: of the order of groups.
        block_us: length of a time block, microseconds.
    """
    keys = np.column_stack([pair, start_us // block_us])
    _, group = np.unique(keys, axis=0, return_inverse=True)
    group = group.reshape(-1)
    known, which = np.unique(codes, return_inverse=True)
    counts = np.zeros((int(group.max()) + 1, len(known)), np.int64)
    np.add.at(counts, (group, which), 1)
    majority = counts.argmax(axis=1)
    shuffled = np.random.default_rng(seed).permutation(len(counts))
    chosen = np.zeros(len(counts), np.bool_)
    for number in range(len(known)):
        of_class = shuffled[majority[shuffled] == number]
        rows = counts[of_class].sum(axis=1)
        before = np.cumsum(rows) - rows
        taken = before < share * rows.sum()
        taken[1:][-1:] = False
        chosen[of_class[taken]] = True
    answer: NDArray[np.bool_] = chosen[group]
    return answer
