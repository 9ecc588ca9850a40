"""Rows told apart by numbers: which ones repeat an earlier one, and which hosts belong together."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.dataset import UNKNOWN_PAIR

ROWS_AT_ONCE: Final = 1 << 13
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)


def repeats(
    features: NDArray[np.float64], codes: NDArray[np.int32], order: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return which of n rows equal an earlier one in all features and the class.

    NaN equals NaN, and 0 equals -0. Beside the answer this takes a few bytes a row.

    Args:
        features: n x F.
        codes: the rows' classes.
        order: the n rows' indices, the earliest first.

    Returns:
        bool, n, in that order.
    """
    hashes = row_hashes(features, codes)[order]
    by_hash = np.argsort(hashes, kind="stable")
    alike = np.flatnonzero(hashes[by_hash[1:]] == hashes[by_hash[:-1]])
    later, earlier = by_hash[alike + 1], by_hash[alike]
    found = np.zeros(len(order), np.bool_)
    for start in range(0, len(alike), ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        one, other = order[later[some]], order[earlier[some]]
        same = (features[one] == features[other]) | (np.isnan(features[one]) & np.isnan(features[other]))
        found[later[some]] = same.all(axis=1) & (codes[one] == codes[other])
    return found


def row_hashes(features: NDArray[np.float64], codes: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Return a 64-bit hash of each of n rows, the same for equal rows."""
    columns = np.arange(1, features.shape[1] + 1, dtype=np.uint64) * _STEP
    hashes = _mixed(codes.astype(np.uint64))
    for start in range(0, len(codes), ROWS_AT_ONCE):
        some = slice(start, start + ROWS_AT_ONCE)
        block = features[some] + 0.0  # -0 becomes 0
        block[np.isnan(block)] = np.nan
        hashes[some] += _mixed(block.view(np.uint64) + columns).sum(axis=1, dtype=np.uint64)
    return hashes


def host_pairs(src_addr: NDArray[np.uint8], dst_addr: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return a number of the two hosts of each of n flows, from their n x 16 addresses, either way round.

    Numbers are hashes of 63 bits: the same in all files. UNKNOWN_PAIR where an address is unknown.
    """
    pairs = (_host(src_addr) + _host(dst_addr)) & np.uint64(2**63 - 1)
    known = src_addr.any(axis=1) & dst_addr.any(axis=1)
    return np.where(known, pairs.view(np.int64), UNKNOWN_PAIR)


def _host(addresses: NDArray[np.uint8]) -> NDArray[np.uint64]:
    halves = np.ascontiguousarray(addresses).view(np.uint64)
    return _mixed(_mixed(halves[:, 0] + _STEP) + halves[:, 1])


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return each value with every bit spread over all bits, as splitmix64 does."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed
