"""What the kernel does for the steps of `detection.layers`, block of rows by block of rows."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.jit import inlined

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

IDENTITY: Final = 0
RELU: Final = 1
LOGISTIC: Final = 2
TANH: Final = 3
SOFTMAX: Final = 4
SHARES: Final = 5
"""Logistic, and then each column's share of their sum; all the same where the sum is 0."""
HALVING: Final = 6
"""2 ** -z."""
ODDS: Final = 7
"""z / (1 + z): odds to a probability."""
ACTIVATIONS: Final = (IDENTITY, RELU, LOGISTIC, TANH, SOFTMAX, SHARES, HALVING, ODDS)


@inlined
def softmax(values: Floats) -> None:
    """Replace logits by their softmax."""
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
def logistic(value: float) -> float:
    """Return 1 / (1 + exp(-value)) without overflow."""
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-value))
    power = math.exp(value)
    return power / (1.0 + power)


@inlined
def activated(value: float, activation: int) -> float:
    """Return an activation that takes one column by itself."""
    if activation == RELU:
        return max(value, 0.0)
    if activation in (LOGISTIC, SHARES):
        return logistic(value)
    if activation == TANH:
        return math.tanh(value)
    if activation == HALVING:
        return math.pow(2.0, -value)
    if activation == ODDS:
        return value / (1.0 + value)
    return value


@inlined
def activate(values: Floats, activation: int) -> None:
    """Replace C columns of a row by their activation."""
    if activation == SOFTMAX:
        softmax(values)
        return
    total = 0.0
    for k in range(values.shape[0]):
        values[k] = activated(values[k], activation)
        total += values[k]
    if activation == SHARES:
        for k in range(values.shape[0]):
            values[k] = values[k] / total if total > 0.0 else 1.0 / values.shape[0]


@inlined
def affine(work: Floats, columns: Ints, numbers: Floats, target: int) -> None:
    """Write value * factor + offset."""
    size = columns.shape[0]
    for i in range(work.shape[0]):
        for j in range(size):
            work[i, target + j] = work[i, columns[j]] * numbers[j] + numbers[size + j]


@inlined
def log(work: Floats, columns: Ints, target: int) -> None:
    """Write log(1 + value)."""
    for i in range(work.shape[0]):
        for j in range(columns.shape[0]):
            work[i, target + j] = math.log1p(work[i, columns[j]])


@inlined
def asinh(work: Floats, columns: Ints, target: int) -> None:
    """Write asinh(value)."""
    for i in range(work.shape[0]):
        for j in range(columns.shape[0]):
            work[i, target + j] = math.asinh(work[i, columns[j]])


@inlined
def fill(work: Floats, columns: Ints, numbers: Floats, target: int) -> None:
    """Write the value, or in the place of NaN the column's number."""
    for i in range(work.shape[0]):
        for j in range(columns.shape[0]):
            value = work[i, columns[j]]
            work[i, target + j] = numbers[j] if math.isnan(value) else value


@inlined
def missing(work: Floats, columns: Ints, target: int) -> None:
    """Write 1 where the value is NaN, else 0."""
    for i in range(work.shape[0]):
        for j in range(columns.shape[0]):
            work[i, target + j] = 1.0 if math.isnan(work[i, columns[j]]) else 0.0


@inlined
def dense(work: Floats, columns: Ints, numbers: Floats, target: int, width: int, activation: int) -> None:
    """Write the activation of columns times weights, n x `width`, plus bias."""
    size = columns.shape[0]
    for i in range(work.shape[0]):
        answers = work[i, target : target + width]
        for k in range(width):
            answers[k] = numbers[size * width + k]
        for j in range(size):
            value, weights = work[i, columns[j]], numbers[j * width : (j + 1) * width]
            for k in range(width):
                answers[k] += value * weights[k]
        activate(answers, activation)


@inlined
def distance(work: Floats, columns: Ints, target: int) -> None:
    """Write the mean squared difference between the first half of the columns and the second."""
    half = columns.shape[0] // 2
    for i in range(work.shape[0]):
        total = 0.0
        for j in range(half):
            apart = work[i, columns[j]] - work[i, columns[half + j]]
            total += apart * apart
        work[i, target] = total / half


@inlined
def neighbours(
    work: Floats, columns: Ints, numbers: Floats, target: int, width: int, nearest: int, uniform: bool
) -> None:
    """Write the classes' shares among the `nearest` stored rows.

    Args:
        numbers: n x m stored rows, then their m classes.
    """
    size = columns.shape[0]
    stored = numbers.shape[0] // (size + 1)
    classes = numbers[size * stored :]
    apart = np.empty(stored)
    near, which = np.empty(nearest), np.empty(nearest, np.int64)
    for i in range(work.shape[0]):
        apart[:] = 0.0
        for j in range(size):
            value, column = work[i, columns[j]], numbers[j * stored : (j + 1) * stored]
            for r in range(stored):
                apart[r] += (value - column[r]) * (value - column[r])
        _keep_nearest(apart, near, which)
        _count_shares(near, which, classes, uniform, work[i, target : target + width])


@inlined
def _keep_nearest(apart: Floats, near: Floats, which: Ints) -> None:
    """Write the smallest values and their places, in order."""
    kept = 0
    for r in range(apart.shape[0]):
        if kept == near.shape[0] and not apart[r] < near[kept - 1]:
            continue
        at = min(kept, near.shape[0] - 1)
        while at > 0 and apart[r] < near[at - 1]:
            near[at], which[at] = near[at - 1], which[at - 1]
            at -= 1
        near[at], which[at] = apart[r], r
        kept = min(kept + 1, near.shape[0])


@inlined
def _count_shares(near: Floats, which: Ints, classes: Floats, uniform: bool, answers: Floats) -> None:
    answers[:] = 0.0
    itself = near[0] == 0.0
    total = 0.0
    for k in range(near.shape[0]):
        if uniform:
            weight = 1.0
        elif itself:
            weight = 1.0 if near[k] == 0.0 else 0.0
        else:
            weight = 1.0 / math.sqrt(near[k])
        answers[int(classes[which[k]])] += weight
        total += weight
    for k in range(answers.shape[0]):
        answers[k] /= total
