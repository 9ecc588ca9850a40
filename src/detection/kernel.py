"""The kernel of the compiled model: blocks of rows go through its steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from detection.layer_kernels import (
    affine,
    asinh,
    dense,
    distance,
    fill,
    log,
    missing,
    neighbours,
    softmax,
)
from detection.walk import CHUNK, LANES, Floats, Ints, Nodes, add_forest, filled_up, key_groups
from flows.jit import inlined, kernel

BLOCK_ROWS: Final = 512
"""Rows that go through one tree before the next, so that a tree stays in the cache."""

SCALE: Final = 0
AFFINE: Final = 1
LOG: Final = 2
ASINH: Final = 3
FILL: Final = 4
MISSING: Final = 5
"""The last of those each of whose answers is one column's."""
FOREST: Final = 6
LINEAR: Final = 7
DENSE: Final = 8
DISTANCE: Final = 9
NEIGHBOURS: Final = 10


@dataclass(frozen=True, slots=True)
class Program:
    """A model's steps as the kernel reads them; tables of classes are `filled_up`.

    Attributes:
        steps: int64, K x 10; kind, first and number of `columns` it reads, first column it writes and how
            many, first of its `numbers` and the one after the last, first of its `roots`, number of its
            trees, and its option: of Dense the activation, of Neighbours k, below 0 where all weigh the same.
        columns: int64; which columns the steps read.
        numbers: float64; Scale: mean, scale. Affine: factor, offset. Fill: fill. Forest: its leaves. Linear
            and Dense: weights, bias; those of Dense are not filled up. Neighbours: rows, classes.
        nodes: uint64; the trees, see `detection.walk`.
        roots: uint64; every tree's first node, and after each forest the one after its last.
        fresh: uint64, as many as `roots`; how many leaves the trees of the forest before this one used.
        width: how many columns the features and all steps' answers fill.
    """

    steps: Ints
    columns: Ints
    numbers: Floats
    nodes: Nodes
    roots: Nodes
    fresh: Nodes
    width: int


@inlined
def _scale(work: Floats, columns: Ints, numbers: Floats, target: int) -> None:
    size = columns.shape[0]
    for i in range(work.shape[0]):
        for j in range(size):
            work[i, target + j] = (work[i, columns[j]] - numbers[j]) / numbers[size + j]


@inlined
def _by_column(work: Floats, columns: Ints, numbers: Floats, target: int, kind: int) -> None:
    if kind == SCALE:
        _scale(work, columns, numbers, target)
    elif kind == AFFINE:
        affine(work, columns, numbers, target)
    elif kind == LOG:
        log(work, columns, target)
    elif kind == ASINH:
        asinh(work, columns, target)
    elif kind == FILL:
        fill(work, columns, numbers, target)
    else:
        missing(work, columns, target)


@inlined
def _linear(work: Floats, columns: Ints, numbers: Floats, answers: Floats, logits: Floats) -> None:
    size, width = columns.shape[0], filled_up(answers.shape[1])
    weights = numbers[: size * width].reshape((size, width // CHUNK, CHUNK))
    bias = numbers[size * width : (size + 1) * width].reshape((width // CHUNK, CHUNK))
    for i in range(work.shape[0]):
        for chunk in range(width // CHUNK):
            a, b, c, d = bias[chunk, 0], bias[chunk, 1], bias[chunk, 2], bias[chunk, 3]
            for j in range(size):
                value = work[i, columns[j]]
                a += value * weights[j, chunk, 0]
                b += value * weights[j, chunk, 1]
                c += value * weights[j, chunk, 2]
                d += value * weights[j, chunk, 3]
            first = chunk * CHUNK
            logits[first], logits[first + 1], logits[first + 2], logits[first + 3] = a, b, c, d
        for k in range(answers.shape[1]):
            answers[i, k] = logits[k]
        softmax(answers[i])


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
    roots: Nodes,
    fresh: Nodes,
    width: int,
    answers: Floats,
) -> None:
    """Write the class probabilities of n x F rows to `answers`, n x C; see `Program` for the others.

    Args:
        rows: finite, or NaN where trees read them, or what puts something in place of it.
    """
    block = min(BLOCK_ROWS, rows.shape[0])
    whole = np.empty((block, width))
    narrow = np.empty((key_groups(block), LANES * _most_read(steps)), np.float32)
    keys = narrow.view(np.uint32)
    sums = np.empty((block + 1) * filled_up(steps[:, 4].max()))
    ends = np.zeros(LANES + 1, np.uint64)
    for first in range(0, rows.shape[0], BLOCK_ROWS):
        work = whole[: min(BLOCK_ROWS, rows.shape[0] - first)]
        _copy(rows[first : first + work.shape[0]], work)
        answer = work[:, : answers.shape[1]]
        for s in range(steps.shape[0]):
            kind, column, size, target, wide, number, end, root, trees, option = steps[s]
            read, given = columns[column : column + size], numbers[number:end]
            answer = work[:, target : target + wide]
            if kind <= MISSING:
                _by_column(work, read, given, target, kind)
            elif kind == LINEAR:
                _linear(work, read, given, answer, sums)
            elif kind == FOREST:
                grown, used = roots[root : root + trees + 1], fresh[root : root + trees + 1]
                add_forest(work, read, given, nodes, grown, used, answer, sums, narrow, keys, ends)
            elif kind == DENSE:
                dense(work, read, given, target, wide, option)
            elif kind == DISTANCE:
                distance(work, read, target)
            else:
                neighbours(work, read, given, target, wide, abs(option), option < 0)
        _copy(answer, answers[first : first + work.shape[0]])
