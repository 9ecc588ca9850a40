"""The kernel of the compiled model: a block of rows goes through its steps, forests eight walks at a time.

Why the walk is exact: scikit-learn compares float32(x) <= float64(threshold), and for a float32 x the
largest float32 that is not above the threshold gives the same answer. Both are kept as unsigned keys
that sort as the numbers do, so that a comparison is one of integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from flows.jit import inlined, kernel

BLOCK_ROWS: Final = 512
"""Rows that go through one tree before the next, so that a tree stays in the cache."""

SCALE: Final = 0
FOREST: Final = 1
LINEAR: Final = 2

# A node, from the top: 32 bits threshold key, 10 feature, 1 missing values go left, 21 to the right child.
# A leaf's threshold is below every key and it is its own right child: a walk that has ended stays.
MOST_FEATURES: Final = 1 << 10
MOST_NODES: Final = 1 << 21
_KEY: Final = np.uint64(32)
_FEATURE: Final = np.uint64(22)
_MISSING: Final = np.uint64(1 << 21)
_RIGHT: Final = np.uint64((1 << 21) - 1)
_NEXT: Final = np.uint64(1)
_NONE: Final = np.uint64(0)
_TWO, _THREE, _FOUR = np.uint64(2), np.uint64(3), np.uint64(4)
_INFINITY_KEY: Final = np.uint64(0xFF800000)

LANES: Final = 8
# A feature's place in a group of eight rows, which lie column by column.
_TO_COLUMN: Final = np.uint64(22 - 3)
_COLUMN: Final = np.uint64(((1 << 10) - 1) << 3)

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Nodes: TypeAlias = NDArray[np.uint64]
Keys: TypeAlias = NDArray[np.uint32]
U64: TypeAlias = np.uint64
Eight: TypeAlias = tuple[U64, U64, U64, U64, U64, U64, U64, U64]


@dataclass(frozen=True, slots=True)
class Program:
    """A model's steps as the kernel reads them.

    Attributes:
        steps: int64, K x 7; kind, first and number of `columns` it reads, first column it writes, first of
            its `numbers`, first and number of its `roots`.
        columns: int64; which columns the steps read.
        numbers: float64; Scale: mean, scale. Forest: its leaves. Linear: weights, bias.
        nodes: uint64; the trees.
        leaf_rows: uint32, one a node; a leaf's row of its forest's leaves.
        roots: uint64; every tree's first node.
        width: how many columns the features and all steps' answers fill.
    """

    steps: Ints
    columns: Ints
    numbers: Floats
    nodes: Nodes
    leaf_rows: Keys
    roots: Nodes
    width: int


def keys_of(numbers: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Return unsigned integers that sort as the numbers do, -0 being 0."""
    bits = (numbers + np.float32(0)).view(np.uint32)
    return np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))


def pack_nodes(
    threshold: NDArray[np.float32],
    feature: NDArray[np.integer[Any]],
    right: NDArray[np.integer[Any]],
    missing_left: NDArray[np.bool_],
    is_leaf: NDArray[np.bool_],
) -> NDArray[np.uint64]:
    """Return one integer a node; `right` counts from the node itself."""
    packed = keys_of(threshold).astype(np.uint64) << _KEY
    packed |= feature.astype(np.uint64) << _FEATURE
    packed |= np.where(missing_left, _MISSING, _NONE)
    packed |= right.astype(np.uint64)
    return np.where(is_leaf, _NONE, packed)


@inlined
def _softmax(values: Floats) -> None:
    largest = values[0]
    for k in range(1, values.shape[0]):
        largest = max(largest, values[k])
    total = 0.0
    for k in range(values.shape[0]):
        values[k] = math.exp(values[k] - largest)
        total += values[k]
    for k in range(values.shape[0]):
        values[k] /= total


@inlined
def _step(node: np.uint64, key: np.uint32, nans: bool) -> np.uint64:
    left = np.uint64(key) <= node >> _KEY
    if nans:
        left |= (np.uint64(key) > _INFINITY_KEY) & (node & _MISSING != _NONE)
    return _NEXT if left else node & _RIGHT


@inlined
def _column(node: np.uint64) -> np.uint64:
    return (node >> _TO_COLUMN) & _COLUMN


def _walker(nans: bool) -> Callable[[Nodes, Keys, Eight, U64, U64, Nodes], None]:
    """Return the walk; one that expects no NaN is a third faster."""

    @inlined
    def walk(nodes: Nodes, keys: Keys, starts: Eight, first: np.uint64, lane: np.uint64, ends: Nodes) -> None:
        """Walk from eight `starts` to `ends`; walk w is of the group's row `first + w * lane`."""
        a0, a1, a2, a3, a4, a5, a6, a7 = starts
        l0, l1, l2, l3 = first, first + lane, first + _TWO * lane, first + _THREE * lane
        l4, l5, l6, l7 = l0 + _FOUR * lane, l1 + _FOUR * lane, l2 + _FOUR * lane, l3 + _FOUR * lane
        while True:
            n0, n1, n2, n3 = nodes[a0], nodes[a1], nodes[a2], nodes[a3]
            n4, n5, n6, n7 = nodes[a4], nodes[a5], nodes[a6], nodes[a7]
            if (n0 | n1 | n2 | n3 | n4 | n5 | n6 | n7) & _RIGHT == _NONE:
                break
            a0 += _step(n0, keys[_column(n0) + l0], nans)
            a1 += _step(n1, keys[_column(n1) + l1], nans)
            a2 += _step(n2, keys[_column(n2) + l2], nans)
            a3 += _step(n3, keys[_column(n3) + l3], nans)
            a4 += _step(n4, keys[_column(n4) + l4], nans)
            a5 += _step(n5, keys[_column(n5) + l5], nans)
            a6 += _step(n6, keys[_column(n6) + l6], nans)
            a7 += _step(n7, keys[_column(n7) + l7], nans)
        ends[0], ends[1], ends[2], ends[3] = a0, a1, a2, a3
        ends[4], ends[5], ends[6], ends[7] = a4, a5, a6, a7

    return walk


_walk: Final = _walker(False)
_walk_with_nans: Final = _walker(True)


@inlined
def _scale(work: Floats, columns: Ints, numbers: Floats, target: int) -> None:
    size = columns.shape[0]
    for i in range(work.shape[0]):
        for j in range(size):
            work[i, target + j] = (work[i, columns[j]] - numbers[j]) / numbers[size + j]


@inlined
def _linear(work: Floats, columns: Ints, numbers: Floats, answers: Floats) -> None:
    classes = answers.shape[1]
    bias = columns.shape[0] * classes
    for i in range(work.shape[0]):
        answer = answers[i]
        for k in range(classes):
            answer[k] = numbers[bias + k]
        for j in range(columns.shape[0]):
            value = work[i, columns[j]]
            for k in range(classes):
                answer[k] += value * numbers[j * classes + k]
        _softmax(answer)


@inlined
def _write_keys(work: Floats, columns: Ints, narrow: NDArray[np.float32], keys: Keys) -> bool:
    """Write the rows as keys of float32, a group of eight rows after the other, each column by column.

    Args:
        narrow: where the float32 are put first; `keys` is the same memory.

    Returns:
        Whether any is NaN.
    """
    nans = False
    for i in range(work.shape[0]):
        group, lane = i // LANES, i % LANES
        for j in range(columns.shape[0]):
            value = np.float32(work[i, columns[j]]) + np.float32(0)
            if value != value:
                nans = True
                value = np.float32(np.nan)
            narrow[group, j * LANES + lane] = value
    for g in range((work.shape[0] + LANES - 1) // LANES):
        for k in range(LANES * columns.shape[0]):
            bits = keys[g, k]
            keys[g, k] = ~bits if bits >> np.uint32(31) else bits | np.uint32(1 << 31)
    return nans


@inlined
def _add_leaf(sums: Floats, leaves: Floats, row: np.uint32) -> None:
    first = np.int64(row) * sums.shape[0]
    for k in range(sums.shape[0]):
        sums[k] += leaves[first + k]


@inlined
def _add_by_rows(
    sums: Floats,
    leaves: Floats,
    nodes: Nodes,
    leaf_rows: Keys,
    roots: Nodes,
    keys: Keys,
    nans: bool,
    ends: Nodes,
) -> None:
    """Add all trees' leaves to rows in whole groups, eight rows at a time."""
    for t in range(roots.shape[0]):
        root = roots[t]
        starts = (root, root, root, root, root, root, root, root)
        for g in range(sums.shape[0] // LANES):
            if nans:
                _walk_with_nans(nodes, keys[g], starts, _NONE, _NEXT, ends)
            else:
                _walk(nodes, keys[g], starts, _NONE, _NEXT, ends)
            for lane in range(LANES):
                _add_leaf(sums[g * LANES + lane], leaves, leaf_rows[ends[lane]])


@inlined
def _add_by_trees(
    sums: Floats,
    leaves: Floats,
    nodes: Nodes,
    leaf_rows: Keys,
    roots: Nodes,
    keys: Keys,
    nans: bool,
    ends: Nodes,
) -> None:
    """Add all trees' leaves to the rows after the last whole group, eight trees at a time."""
    trees, groups = roots.shape[0], sums.shape[0] // LANES
    last = trees - 1
    for i in range(groups * LANES, sums.shape[0]):
        lane_of_row = np.uint64(i % LANES)
        for t in range(0, trees, LANES):
            one, two, three = roots[min(t + 1, last)], roots[min(t + 2, last)], roots[min(t + 3, last)]
            four, five, six = roots[min(t + 4, last)], roots[min(t + 5, last)], roots[min(t + 6, last)]
            starts = (roots[t], one, two, three, four, five, six, roots[min(t + 7, last)])
            if nans:
                _walk_with_nans(nodes, keys[groups], starts, lane_of_row, _NONE, ends)
            else:
                _walk(nodes, keys[groups], starts, lane_of_row, _NONE, ends)
            for lane in range(min(LANES, trees - t)):
                _add_leaf(sums[i], leaves, leaf_rows[ends[lane]])


@inlined
def _forest(
    work: Floats,
    columns: Ints,
    leaves: Floats,
    nodes: Nodes,
    leaf_rows: Keys,
    roots: Nodes,
    sums: Floats,
    narrow: NDArray[np.float32],
    keys: Keys,
    ends: Nodes,
) -> None:
    nans = _write_keys(work, columns, narrow, keys)
    for i in range(sums.shape[0]):
        for k in range(sums.shape[1]):
            sums[i, k] = 0.0
    _add_by_rows(sums, leaves, nodes, leaf_rows, roots, keys, nans, ends)
    _add_by_trees(sums, leaves, nodes, leaf_rows, roots, keys, nans, ends)
    for i in range(sums.shape[0]):
        for k in range(sums.shape[1]):
            sums[i, k] /= roots.shape[0]


@inlined
def _copy(source: Floats, target: Floats) -> None:
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@inlined
def _most_read(steps: Ints) -> int:
    """Return how many columns a forest reads at most."""
    most = 0
    for s in range(steps.shape[0]):
        if steps[s, 0] == FOREST:
            most = max(most, steps[s, 2])
    return most


@kernel
def score_rows(
    rows: Floats,
    steps: Ints,
    columns: Ints,
    numbers: Floats,
    nodes: Nodes,
    leaf_rows: Keys,
    roots: Nodes,
    width: int,
    answers: Floats,
) -> None:
    """Write the class probabilities of n x F rows to `answers`, n x C; see `Program` for the others.

    Args:
        rows: finite, or NaN where nothing linear reads them.
    """
    classes = answers.shape[1]
    block = min(BLOCK_ROWS, rows.shape[0])
    whole = np.empty((block, width))
    narrow = np.empty(((block + LANES - 1) // LANES, LANES * _most_read(steps)), np.float32)
    keys = narrow.view(np.uint32)
    ends = np.empty(LANES, np.uint64)
    for first in range(0, rows.shape[0], BLOCK_ROWS):
        work = whole[: min(BLOCK_ROWS, rows.shape[0] - first)]
        _copy(rows[first : first + work.shape[0]], work)
        answer = work[:, :classes]
        for s in range(steps.shape[0]):
            kind, column, size, target, number, root, trees = steps[s]
            read, given = columns[column : column + size], numbers[number:]
            answer = work[:, target : target + classes]
            if kind == SCALE:
                _scale(work, read, given, target)
            elif kind == LINEAR:
                _linear(work, read, given, answer)
            else:
                grown = roots[root : root + trees]
                _forest(work, read, given, nodes, leaf_rows, grown, answer, narrow, keys, ends)
        _copy(answer, answers[first : first + work.shape[0]])
