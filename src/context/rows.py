"""Rows found by a 64-bit hash, in an open-addressing index without tombstones."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from context.layout import Number, Rows
from flows.jit import inlined

_K1: Final = np.uint64(0x9E3779B97F4A7C15)
_K2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_S29: Final = np.uint64(29)
_S32: Final = np.uint64(32)


@inlined
def mixed(hashed: np.uint64, value: np.uint64) -> np.uint64:
    """Return the hash of a sequence that goes on with a value."""
    hashed = (hashed ^ value) * _K1
    hashed ^= hashed >> _S29
    hashed *= _K2
    return hashed ^ (hashed >> _S32)


@inlined
def find_or_add(rows: Rows, counters: NDArray[np.int64], used: Number, hashed: np.uint64) -> Number:
    """Return the row of a hash; one that has none gets a row, which there must be.

    `used` is the position of the counter of rows used; that of rows free is next to it.
    """
    slots = rows.slots
    mask = np.uint64(slots.shape[0] - 1)
    at = hashed & mask
    while slots[at] != 0:
        if rows.hashes[slots[at] - 1] == hashed:
            return np.int64(slots[at] - 1)
        at = (at + np.uint64(1)) & mask
    if counters[used + 1] > 0:
        counters[used + 1] -= 1
        row: Number = np.int64(rows.free[counters[used + 1]])
    else:
        row = counters[used]
        counters[used] += 1
    rows.hashes[row] = hashed
    slots[at] = row + 1
    return row


@inlined
def give_back(rows: Rows, counters: NDArray[np.int64], used: Number, row: Number) -> None:
    """Free a row whose counts are all 0, and close the gap in the index."""
    slots = rows.slots
    mask = np.uint64(slots.shape[0] - 1)
    hole = rows.hashes[row] & mask
    while slots[hole] != row + 1:
        hole = (hole + np.uint64(1)) & mask
    at = hole
    while True:
        at = (at + np.uint64(1)) & mask
        if slots[at] == 0:
            break
        home = rows.hashes[slots[at] - 1] & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            slots[hole] = slots[at]
            hole = at
    slots[hole] = 0
    rows.free[counters[used + 1]] = row
    counters[used + 1] += 1
