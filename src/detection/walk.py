"""Forests: a block of rows goes through the trees, eight walks at a time.

Why the walk is exact: scikit-learn compares float32(x) <= float64(threshold), and for a float32 x the
largest float32 that is not above the threshold gives the same answer. Both are kept as unsigned keys
that sort as the numbers do, so that a comparison is one of integers.

Why it is fast: eight walks wait for memory at once, in unsigned indices that need no check for negative
ones. A tree of some thousand nodes is read ahead in order, since fetching its nodes one by one from the
last cache, as walks come to them, takes longer than the walks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flows.jit import inlined

# A node, from the top: 32 bits threshold key, 10 feature, 1 missing values go left, 21 to the right child.
# A leaf is its own right child, and its row of the leaves is a key below every number's: a walk that has
# ended stays.
MOST_FEATURES: Final = 1 << 10
MOST_NODES: Final = 1 << 21
MOST_LEAVES: Final = 0x007FFFFF
_KEY: Final = np.uint64(32)
_FEATURE: Final = np.uint64(22)
_MISSING: Final = np.uint64(1 << 21)
_RIGHT: Final = np.uint64((1 << 21) - 1)
_NEXT: Final = np.uint64(1)
_NONE: Final = np.uint64(0)
_INFINITY_KEY: Final = np.uint64(0xFF800000)
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)
_FOUR, _FIVE, _SIX, _SEVEN = np.uint64(4), np.uint64(5), np.uint64(6), np.uint64(7)

LANES: Final = 8
# A feature's place in a group of eight rows, which lie column by column.
_TO_COLUMN: Final = np.uint64(22 - 3)
_COLUMN: Final = np.uint64(((1 << 10) - 1) << 3)

CHUNK: Final = 4
"""Classes are added four at a time: tables of them are filled up with columns of 0."""

_TILE_NODES: Final = np.uint64(2048)
"""Small trees go over a group of rows together as long as they fit into the first cache."""
_READ_AHEAD_ROWS: Final = 64
_PER_LINE: Final = np.uint64(8)

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Nodes: TypeAlias = NDArray[np.uint64]
Keys: TypeAlias = NDArray[np.uint32]
U64: TypeAlias = np.uint64
Eight: TypeAlias = tuple[U64, U64, U64, U64, U64, U64, U64, U64]


def keys_of(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return unsigned integers that sort as the numbers do, -0 being 0."""
    bits = (numbers + np.float32(0)).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def pack_nodes(
    threshold: NDArray[np.float32],
    feature: NDArray[np.integer[Any]],
    target: NDArray[np.integer[Any]],
    missing_left: NDArray[np.bool_],
    is_leaf: NDArray[np.bool_],
) -> NDArray[np.uint64]:
    """Return one integer a node.

    Args:
        threshold, feature, missing_left: of inner nodes; not read at leaves.
        target: the right child, counted from the node itself, or the leaf's row of the leaves.
        is_leaf: which nodes are leaves.
    """
    inner = keys_of(threshold).astype(np.uint64) << _KEY
    inner |= np.where(is_leaf, 0, feature).astype(np.uint64) << _FEATURE
    inner |= np.where(missing_left, _MISSING, _NONE)
    inner |= target.astype(np.uint64)
    return np.where(is_leaf, target.astype(np.uint64) << _KEY, inner)


@inlined
def filled_up(classes: int) -> int:
    """Return how many columns a table of C classes has in the kernel."""
    return (classes + CHUNK - 1) // CHUNK * CHUNK


@inlined
def _step(node: np.uint64, key: np.uint32, nans: bool) -> np.uint64:
    left = np.uint64(key) <= node >> _KEY
    if nans:
        left |= (np.uint64(key) > _INFINITY_KEY) & (node & _MISSING != _NONE)
    return _NEXT if left else node & _RIGHT


@inlined
def _column(node: np.uint64) -> np.uint64:
    return (node >> _TO_COLUMN) & _COLUMN


def _walker(nans: bool) -> Callable[[Nodes, Keys, Eight, Nodes], None]:
    """Return the walk; one that expects no NaN is a third faster."""

    @inlined
    def walk(nodes: Nodes, keys: Keys, starts: Eight, ends: Nodes) -> None:
        """Walk from the nodes `starts` and write the leaves to `ends`; walk w is of the group's row w."""
        a0, a1, a2, a3, a4, a5, a6, a7 = starts
        while True:
            n0, n1, n2, n3 = nodes[a0], nodes[a1], nodes[a2], nodes[a3]
            n4, n5, n6, n7 = nodes[a4], nodes[a5], nodes[a6], nodes[a7]
            if (n0 | n1 | n2 | n3 | n4 | n5 | n6 | n7) & _RIGHT == _NONE:
                break
            a0 += _step(n0, keys[_column(n0)], nans)
            a1 += _step(n1, keys[_column(n1) + _ONE], nans)
            a2 += _step(n2, keys[_column(n2) + _TWO], nans)
            a3 += _step(n3, keys[_column(n3) + _THREE], nans)
            a4 += _step(n4, keys[_column(n4) + _FOUR], nans)
            a5 += _step(n5, keys[_column(n5) + _FIVE], nans)
            a6 += _step(n6, keys[_column(n6) + _SIX], nans)
            a7 += _step(n7, keys[_column(n7) + _SEVEN], nans)
        ends[0], ends[1], ends[2], ends[3] = n0, n1, n2, n3
        ends[4], ends[5], ends[6], ends[7] = n4, n5, n6, n7

    return walk


_walk: Final = _walker(False)
_walk_with_nans: Final = _walker(True)


@inlined
def key_groups(rows: int) -> int:
    """Return how many groups of eight rows `_write_keys` may need for up to so many rows."""
    return rows // LANES + LANES - 1


@inlined
def _write_keys(work: Floats, columns: Ints, narrow: NDArray[np.float32], keys: Keys) -> bool:
    """Write the rows as keys of float32, a group of eight rows after the other, each column by column.

    Each row after the last whole group makes a group of its own, eight times the same.

    Args:
        work, columns: the rows, and which of their columns are read.
        narrow: where the float32 are put first; `keys` is the same memory.

    Returns:
        Whether any is NaN.
    """
    nans = False
    whole = work.shape[0] // LANES
    for i in range(work.shape[0]):
        alone = i - whole * LANES
        for j in range(columns.shape[0]):
            value = np.float32(work[i, columns[j]]) + np.float32(0)
            if value != value:
                nans = True
                value = np.float32(np.nan)
            if alone < 0:
                narrow[i // LANES, j * LANES + i % LANES] = value
            else:
                for lane in range(LANES):
                    narrow[whole + alone, j * LANES + lane] = value
    for g in range(whole + work.shape[0] % LANES):
        for k in range(LANES * columns.shape[0]):
            bits = keys[g, k]
            keys[g, k] = ~bits if bits >> np.uint32(31) else bits | np.uint32(1 << 31)
    return nans


@inlined
def _read_ahead(words: Nodes, first: np.uint64, end: np.uint64) -> np.uint64:
    """Bring words into the cache in order; what is returned must be used, or nothing is read."""
    seen = _NONE
    while first < end:
        seen |= words[first]
        first += _PER_LINE
    return seen


@inlined
def _add_leaf(sums: Floats, row: int, leaves: Floats, leaf: np.uint64, width: np.uint64) -> None:
    to, at = np.uint64(row) * width, (leaf >> _KEY) * width
    end = to + width
    while to < end:
        # All four are read before any is written, or they could not be added in one instruction.
        first, second = sums[to] + leaves[at], sums[to + _ONE] + leaves[at + _ONE]
        third, fourth = sums[to + _TWO] + leaves[at + _TWO], sums[to + _THREE] + leaves[at + _THREE]
        sums[to], sums[to + _ONE], sums[to + _TWO], sums[to + _THREE] = first, second, third, fourth
        to += _FOUR
        at += _FOUR


@inlined
def _add_by_rows(
    sums: Floats,
    rows: int,
    width: np.uint64,
    leaves: Floats,
    nodes: Nodes,
    roots: Nodes,
    fresh: Nodes,
    keys: Keys,
    nans: bool,
    ends: Nodes,
) -> None:
    """Add all trees' leaves to rows in whole groups, eight rows at a time."""
    words, trees, first = leaves.view(np.uint64), roots.shape[0] - 1, 0
    while first < trees:
        last = first + 1
        while last < trees and roots[last + 1] - roots[first] <= _TILE_NODES:
            last += 1
        if rows >= _READ_AHEAD_ROWS:
            ends[LANES] |= _read_ahead(nodes, roots[first], roots[last])
            ends[LANES] |= _read_ahead(words, fresh[first] * width, fresh[last] * width)
        for g in range(rows // LANES):
            for t in range(first, last):
                root = roots[t]
                starts = (root, root, root, root, root, root, root, root)
                if nans:
                    _walk_with_nans(nodes, keys[g], starts, ends)
                else:
                    _walk(nodes, keys[g], starts, ends)
                for lane in range(LANES):
                    _add_leaf(sums, g * LANES + lane, leaves, ends[lane], width)
        first = last


@inlined
def _add_by_trees(
    sums: Floats,
    rows: int,
    width: np.uint64,
    leaves: Floats,
    nodes: Nodes,
    roots: Nodes,
    keys: Keys,
    nans: bool,
    ends: Nodes,
) -> None:
    """Add all trees' leaves to the rows after the last whole group, eight trees at a time."""
    trees, whole = roots.shape[0] - 1, rows // LANES
    last = trees - 1
    for i in range(rows % LANES):
        for t in range(0, trees, LANES):
            one, two, three = roots[min(t + 1, last)], roots[min(t + 2, last)], roots[min(t + 3, last)]
            four, five, six = roots[min(t + 4, last)], roots[min(t + 5, last)], roots[min(t + 6, last)]
            starts = (roots[t], one, two, three, four, five, six, roots[min(t + 7, last)])
            if nans:
                _walk_with_nans(nodes, keys[whole + i], starts, ends)
            else:
                _walk(nodes, keys[whole + i], starts, ends)
            for lane in range(min(LANES, trees - t)):
                _add_leaf(sums, whole * LANES + i, leaves, ends[lane], width)


@inlined
def add_forest(
    work: Floats,
    columns: Ints,
    leaves: Floats,
    nodes: Nodes,
    roots: Nodes,
    fresh: Nodes,
    answers: Floats,
    sums: Floats,
    narrow: NDArray[np.float32],
    keys: Keys,
    ends: Nodes,
) -> None:
    """Write the mean of the trees' leaves for n rows.

    Args:
        work, columns: the rows, and which of their columns are read.
        leaves: the leaves' rows, `filled_up(C)` wide.
        nodes, roots: the trees' nodes, where each begins, and where the last one ends.
        fresh: T + 1; before each tree, how many of the leaves were used by the trees before it.
        answers: n x C.
        sums: n x `filled_up(C)` or longer; scratch.
        narrow, keys: `key_groups(n)` x 8 a column that is read; scratch, the same memory.
        ends: LANES + 1; scratch.
    """
    nans = _write_keys(work, columns, narrow, keys)
    rows, classes, trees = answers.shape[0], answers.shape[1], roots.shape[0] - 1
    width = filled_up(classes)
    for k in range(rows * width):
        sums[k] = 0.0
    _add_by_rows(sums, rows, np.uint64(width), leaves, nodes, roots, fresh, keys, nans, ends)
    _add_by_trees(sums, rows, np.uint64(width), leaves, nodes, roots, keys, nans, ends)
    for i in range(rows):
        for k in range(classes):
            answers[i, k] = sums[i * width + k] / trees
