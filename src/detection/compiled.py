"""The compiled model: a stacked forest and linear models as plain arrays, and the walk over them.

The walk gives scikit-learn's own probabilities: rows are scaled in float64, cast to float32 for the
trees only, and compared with float64 thresholds; the trees' answers are added in their order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.jit import inlined, kernel

NODE: Final = np.dtype([("threshold", "<f8"), ("feature", "<i4"), ("next", "<i4")])
"""An inner node's left child is the next node and `next` its right one; a leaf has feature -1, and
`next` is its row of `leaves`."""

LEAF: Final = -1
BLOCK_ROWS: Final = 512
"""Rows that go through one tree before the next, so that a tree stays in the cache."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """StandardScaler, then a random forest and a logistic regression, stacked by another one.

    F features, C classes, T trees, N nodes, L distinct leaves.

    Attributes:
        mean, scale: float64, F; of the scaler.
        nodes: NODE, N; all trees, each in pre-order.
        roots: int64, T; every tree's first node.
        leaves: float64, L x C; class distributions.
        linear_weights, linear_bias: float64, F x C and C; the logistic regression's.
        final_weights, final_bias: float64, 2C x C and C; over the forest's probabilities, then the
            logistic regression's.
    """

    mean: Floats
    scale: Floats
    nodes: NDArray[Any]
    roots: NDArray[np.int64]
    leaves: Floats
    linear_weights: Floats
    linear_bias: Floats
    final_weights: Floats
    final_bias: Floats

    @property
    def features(self) -> int:
        """F, how many features a row has."""
        return int(self.mean.shape[0])

    @property
    def classes(self) -> int:
        """C, how many classes the model knows."""
        return int(self.leaves.shape[1])

    def probabilities(self, rows: Floats) -> Floats:
        """Return n x C class probabilities of n x F preprocessed, finite rows.

        Raises:
            ValueError: the rows do not have F columns.
        """
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(
                f"rows: must be n x {self.features}, are {' x '.join(str(size) for size in rows.shape)}"
            )
        answers = np.empty((rows.shape[0], self.classes))
        score_rows(
            np.ascontiguousarray(rows, np.float64),
            self.mean,
            self.scale,
            self.nodes,
            self.roots,
            self.leaves,
            self.linear_weights,
            self.linear_bias,
            self.final_weights,
            self.final_bias,
            answers,
        )
        return answers

    def save(self, file: Path | IO[bytes]) -> None:
        """Write the arrays as a compressed npz file; equal models give equal bytes."""
        np.savez_compressed(file, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, file: Path | IO[bytes]) -> CompiledModel:
        """Read what `save` wrote; nothing in the file is executed.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not such a file, or its arrays do not make a model.
        """
        with np.load(file, allow_pickle=False) as archive:
            missing = [field.name for field in fields(cls) if field.name not in archive]
            if missing:
                raise ValueError(f"no array {', '.join(missing)}")
            arrays = {field.name: archive[field.name] for field in fields(cls)}
        _check(arrays)
        return cls(**{name: np.ascontiguousarray(array) for name, array in arrays.items()})


def _check(arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays the kernel would read outside of: it does not check bounds."""
    features, classes = arrays["mean"].shape[0], arrays["leaves"].shape[-1]
    nodes, leaves = arrays["nodes"].shape[0], arrays["leaves"].shape[0]
    shapes = {
        "mean": (features,),
        "scale": (features,),
        "nodes": (nodes,),
        "roots": (arrays["roots"].size,),
        "leaves": (leaves, classes),
        "linear_weights": (features, classes),
        "linear_bias": (classes,),
        "final_weights": (2 * classes, classes),
        "final_bias": (classes,),
    }
    for name, shape in shapes.items():
        kind = {"nodes": NODE, "roots": np.dtype(np.int64)}.get(name, np.dtype(np.float64))
        if arrays[name].shape != shape or arrays[name].dtype != kind:
            raise ValueError(f"{name}: is {arrays[name].dtype} {arrays[name].shape}, not {kind} {shape}")
        if kind == np.float64 and not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name}: holds values that are not finite")
    _check_trees(arrays["nodes"], arrays["roots"], features, leaves)


def _check_trees(nodes: NDArray[Any], roots: NDArray[np.int64], features: int, leaves: int) -> None:
    is_leaf = nodes["feature"] == LEAF
    following = nodes["next"]
    inner_fits = (nodes["feature"] >= 0) & (nodes["feature"] < features)
    # Children lie behind their parent, so every walk ends.
    inner_fits &= (following > np.arange(nodes.size)) & (following < nodes.size)
    leaf_fits = (following >= 0) & (following < leaves)
    if not np.where(is_leaf, leaf_fits, inner_fits).all() or not (nodes.size and is_leaf[-1]):
        raise ValueError("nodes: a node leads outside of its tree")
    if not roots.size or roots.min() < 0 or roots.max() >= nodes.size:
        raise ValueError("roots: a tree begins outside of the nodes")


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
def _add_product(inputs: Floats, weights: Floats, sums: Floats) -> None:
    for j in range(inputs.shape[0]):
        value = inputs[j]
        for k in range(sums.shape[0]):
            sums[k] += value * weights[j, k]


@inlined
def _add_forest(
    rows: NDArray[np.float32], nodes: NDArray[Any], roots: NDArray[np.int64], leaves: Floats, sums: Floats
) -> None:
    for t in range(roots.shape[0]):
        root = roots[t]
        for i in range(rows.shape[0]):
            at = root
            while nodes[at].feature >= 0:
                if rows[i, nodes[at].feature] <= nodes[at].threshold:
                    at += 1
                else:
                    at = np.int64(nodes[at].next)
            leaf = nodes[at].next
            for k in range(leaves.shape[1]):
                sums[i, k] += leaves[leaf, k]


@kernel
def score_rows(
    rows: Floats,
    mean: Floats,
    scale: Floats,
    nodes: NDArray[Any],
    roots: NDArray[np.int64],
    leaves: Floats,
    linear_weights: Floats,
    linear_bias: Floats,
    final_weights: Floats,
    final_bias: Floats,
    answers: Floats,
) -> None:
    """Write the class probabilities of n x F rows to `answers`, n x C."""
    features, classes = mean.shape[0], answers.shape[1]
    size = min(BLOCK_ROWS, rows.shape[0])
    scaled = np.empty((size, features))
    narrow = np.empty((size, features), np.float32)
    base = np.empty((size, 2 * classes))
    for first in range(0, rows.shape[0], BLOCK_ROWS):
        count = min(BLOCK_ROWS, rows.shape[0] - first)
        for i in range(count):
            for j in range(features):
                scaled[i, j] = (rows[first + i, j] - mean[j]) / scale[j]
                narrow[i, j] = np.float32(scaled[i, j])
        base[:count, :classes] = 0.0
        _add_forest(narrow[:count], nodes, roots, leaves, base[:count, :classes])
        for i in range(count):
            base[i, :classes] /= roots.shape[0]
            linear = base[i, classes:]
            linear[:] = linear_bias
            _add_product(scaled[i], linear_weights, linear)
            _softmax(linear)
            answers[first + i] = final_bias
            _add_product(base[i], final_weights, answers[first + i])
            _softmax(answers[first + i])
