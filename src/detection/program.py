"""From steps to what the kernel reads: everything of a kind in one array, nodes packed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detection import kernel
from detection.imputation import Fill, Missing
from detection.kernel import Program
from detection.layers import Affine, Asinh, Dense, Distance, Log, Neighbours
from detection.step_checks import Floats
from detection.steps import Forest, Linear, Scale, Step
from detection.walk import CHUNK, pack_nodes

KINDS: Final[dict[type[Step], int]] = {
    **{Scale: kernel.SCALE, Affine: kernel.AFFINE, Log: kernel.LOG, Asinh: kernel.ASINH},
    **{Fill: kernel.FILL, Missing: kernel.MISSING, Forest: kernel.FOREST},
    **{Linear: kernel.LINEAR, Dense: kernel.DENSE, Distance: kernel.DISTANCE},
    Neighbours: kernel.NEIGHBOURS,
}


def program_of(features: int, steps: Sequence[Step]) -> Program:
    """Return the program of checked steps over F features."""
    forests = [step for step in steps if isinstance(step, Forest)]
    columns, numbers = [step.columns for step in steps], [_numbers(step) for step in steps]
    trees = np.array([step.roots.size if isinstance(step, Forest) else 0 for step in steps])
    table = [
        [KINDS[type(step)] for step in steps],
        _starts(columns),
        [step.columns.size for step in steps],
        features + _sums([step.width() for step in steps]),
        [step.width() for step in steps],
        _starts(numbers),
        np.cumsum([part.size for part in numbers]),
        _sums(np.where(trees, trees + 1, 0)),
        trees,
        [_option(step) for step in steps],
    ]
    before = _sums([forest.feature.size for forest in forests])
    roots = [
        np.append(forest.roots, forest.feature.size) + first
        for forest, first in zip(forests, before, strict=True)
    ]
    return Program(
        steps=np.ascontiguousarray(np.array(table, np.int64).T),
        columns=_joined(columns, np.int64),
        numbers=_joined(numbers, np.float64),
        nodes=_joined([_packed(forest) for forest in forests], np.uint64),
        roots=_joined(roots, np.uint64),
        fresh=_joined([_fresh(forest) for forest in forests], np.uint64),
        width=features + sum(step.width() for step in steps),
    )


def _numbers(step: Step) -> Floats:
    if isinstance(step, Scale):
        return np.concatenate([step.mean, step.scale])
    if isinstance(step, Linear):
        return np.concatenate([_filled_up(step.weights), _filled_up(step.bias[None])])
    if isinstance(step, Forest):
        return _filled_up(step.leaves)
    if isinstance(step, Affine):
        return np.concatenate([step.factor, step.offset])
    if isinstance(step, Fill):
        return step.fill
    if isinstance(step, Dense):
        return np.concatenate([step.weights.ravel(), step.bias])
    if isinstance(step, Neighbours):
        return np.concatenate([step.rows.ravel(), step.classes.astype(np.float64)])
    return np.empty(0)


def _option(step: Step) -> int:
    if isinstance(step, Dense):
        return int(step.activation.item())
    if isinstance(step, Neighbours):
        return int(-step.neighbours.item() if step.uniform.item() else step.neighbours.item())
    return 0


def _filled_up(rows: Floats) -> Floats:
    """Return rows of classes one after the other, each filled up to whole chunks."""
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % CHUNK))).ravel()


def _fresh(forest: Forest) -> NDArray[np.int64]:
    used = np.maximum.reduceat(np.where(forest.is_leaf, forest.next + 1, 0), forest.roots)
    return np.maximum.accumulate(np.append(0, used))


def _packed(forest: Forest) -> NDArray[np.uint64]:
    place, is_leaf = np.arange(forest.feature.size), forest.is_leaf
    target = np.where(is_leaf, forest.next, forest.next - place)
    return pack_nodes(forest.threshold, forest.feature, target, forest.missing_left, is_leaf)


def _sums(sizes: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each begins when they stand in a row."""
    return np.cumsum([0, *sizes])[:-1]


def _starts(arrays: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    return _sums([array.size for array in arrays])


def _joined(arrays: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *arrays]).astype(kind)
