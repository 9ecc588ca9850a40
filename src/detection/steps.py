"""The steps a compiled model is made of, as plain arrays.

A row begins as its F features, columns 0 to F-1; every step reads some columns and appends its answers
as the next ones. The last step's answers are the class probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from detection.imputation import Fill, Missing
from detection.layers import Affine, Asinh, Dense, Distance, Log, Neighbours
from detection.step_checks import Floats, Ints, check_finite, check_shapes
from detection.walk import MOST_FEATURES, MOST_LEAVES, MOST_NODES

LEAF: Final = -1


@dataclass(frozen=True, slots=True)
class Scale:
    """Appends (value - mean) / scale of n columns.

    Attributes:
        columns: int64, n; what it reads.
        mean, scale: float64, n.
    """

    columns: Ints
    mean: Floats
    scale: Floats

    kind: ClassVar[str] = "scale"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8", "<f8", "<f8")

    def width(self) -> int:
        """How many columns it appends."""
        return int(self.columns.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        check_shapes(self, columns=(self.columns.size,), mean=self.columns.shape, scale=self.columns.shape)
        check_finite(self, "mean", "scale")
        if not self.scale.all():
            raise ValueError("scale: holds 0")


@dataclass(frozen=True, slots=True)
class Linear:
    """Appends C probabilities: the softmax of n columns times weights plus bias.

    Attributes:
        columns: int64, n; what it reads.
        weights: float64, n x C.
        bias: float64, C.
    """

    columns: Ints
    weights: Floats
    bias: Floats

    kind: ClassVar[str] = "linear"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8", "<f8", "<f8")

    def width(self) -> int:
        """How many columns it appends, C."""
        return int(self.bias.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        size, classes = self.columns.size, self.bias.size
        check_shapes(self, columns=(size,), weights=(size, classes), bias=(classes,))
        check_finite(self, "weights", "bias")


@dataclass(frozen=True, slots=True)
class Forest:
    """Appends C columns: the mean over T trees of what the leaf holds that a row ends in.

    Of forests and stacks these are class distributions, of boosted trees what they add to the logits, of
    isolation trees depths.

    A row goes left where float32(value) <= threshold, or, when the value is NaN, where `missing_left`
    says so. The left child is the next node. What overflows float32 counts as infinite (scikit-learn
    refuses such values).

    The distribution of an inner node is the mean of its children's, weighted by `weight`; since children
    stand behind their parent, one pass from the last node to the first makes all of them
    (`distributions`), to 1e-9 of what scikit-learn keeps. The mean over the trees of their roots'
    distributions is the base that path attribution starts from.

    Attributes:
        columns: int64, n; what it reads.
        threshold: float32, N; 0 at leaves, infinite where only missing values go right.
        feature: int16, N; the index into `columns`, at leaves LEAF.
        next: int32, N; the right child, at leaves the row of `leaves`.
        missing_left: bool, N.
        weight: float64, N; the training weight that reached the node.
        roots: int64, T; every tree's first node.
        leaves: float64, L x C; the distinct distributions of leaves.
    """

    columns: Ints
    threshold: NDArray[np.float32]
    feature: NDArray[np.int16]
    next: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    weight: Floats
    roots: Ints
    leaves: Floats

    kind: ClassVar[str] = "forest"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8", "<f4", "<i2", "<i4", "|b1", "<f8", "<i8", "<f8")

    def width(self) -> int:
        """How many columns it appends, C."""
        return int(self.leaves.shape[1])

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        """Which nodes are leaves."""
        return np.equal(self.feature, LEAF)

    def distributions(self) -> Floats:
        """Return N x C class distributions of all nodes, inner ones too."""
        values = np.empty((self.feature.size, self.width()))
        is_leaf = self.is_leaf
        values[is_leaf] = self.leaves[self.next[is_leaf]]
        for depth in reversed(self._inner_by_depth()):
            left, right = depth + 1, self.next[depth]
            share = (self.weight[left] / (self.weight[left] + self.weight[right]))[:, None]
            values[depth] = share * values[left] + (1.0 - share) * values[right]
        return values

    def _inner_by_depth(self) -> list[Ints]:
        depths, level = [], self.roots
        while level.size:
            level = level[~self.is_leaf[level]]
            depths.append(level)
            level = np.concatenate([level + 1, self.next[level]])
        return depths

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together or lead out of them."""
        if self.leaves.ndim != 2:
            raise ValueError("leaves: must be a table")
        size = (self.feature.size,)
        per_node = dict.fromkeys(("threshold", "next", "missing_left", "weight"), size)
        check_shapes(
            self,
            columns=(self.columns.size,),
            roots=(self.roots.size,),
            feature=size,
            leaves=self.leaves.shape,
            **per_node,
        )
        check_finite(self, "weight", "leaves")
        if np.isnan(self.threshold).any():
            raise ValueError("threshold: holds NaN")
        if self.columns.size > MOST_FEATURES:
            raise ValueError(f"columns: {self.columns.size} are more than {MOST_FEATURES}")
        if self.leaves.shape[0] > MOST_LEAVES:
            raise ValueError(f"leaves: {self.leaves.shape[0]} are more than {MOST_LEAVES}")
        self._check_trees()

    def _check_trees(self) -> None:
        place, is_leaf = np.arange(self.feature.size), self.is_leaf
        fits = (self.feature >= 0) & (self.feature < self.columns.size)
        # Children lie behind their parent, so every walk ends; a root is nobody's child.
        fits &= (self.next > place) & (self.next < place.size) & (self.next - place < MOST_NODES)
        leaf_fits = (self.next >= 0) & (self.next < self.leaves.shape[0])
        if not np.where(is_leaf, leaf_fits, fits).all() or not (place.size and is_leaf[-1]):
            raise ValueError("next: a node leads outside of its tree")
        if (self.weight <= 0).any():
            raise ValueError("weight: holds values that are not positive")
        if not self.roots.size or self.roots.min() < 0 or self.roots.max() >= place.size:
            raise ValueError("roots: a tree begins outside of the nodes")


Step: TypeAlias = (
    Scale | Affine | Log | Asinh | Fill | Missing | Forest | Linear | Dense | Distance | Neighbours
)
KEEPS_NAN: Final = (Scale, Affine, Log, Asinh)
"""Steps whose answer of a column that is NaN is NaN."""

COLUMN_WISE: Final = (*KEEPS_NAN, Fill, Missing)
"""Steps each of whose answers is one column's."""

READS_NAN: Final = (Forest, Fill, Missing)
"""Steps that answer without NaN what they read."""

STEPS: Final[dict[str, type[Step]]] = {
    step.kind: step for step in (*COLUMN_WISE, Forest, Linear, Dense, Distance, Neighbours)
}
