"""Steps that transform, multiply and compare columns: what networks, distances and boosted trees need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from detection.layer_kernels import ACTIVATIONS
from detection.step_checks import Floats, Ints, check_finite, check_shapes

MOST_STORED: Final = 100_000
"""So many rows a Neighbours step holds at most: every one is compared with every flow."""


@dataclass(frozen=True, slots=True)
class Affine:
    """Appends value * factor + offset of n columns.

    Attributes:
        columns: int64, n; what it reads.
        factor, offset: float64, n.
    """

    columns: Ints
    factor: Floats
    offset: Floats

    kind: ClassVar[str] = "affine"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8", "<f8", "<f8")

    def width(self) -> int:
        """How many columns it appends."""
        return int(self.columns.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        size = (self.columns.size,)
        check_shapes(self, columns=size, factor=size, offset=size)
        check_finite(self, "factor", "offset")


@dataclass(frozen=True, slots=True)
class Log:
    """Appends log(1 + value) of n columns; NaN below -1.

    Attributes:
        columns: int64, n; what it reads.
    """

    columns: Ints

    kind: ClassVar[str] = "log"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8",)

    def width(self) -> int:
        """How many columns it appends."""
        return int(self.columns.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        check_shapes(self, columns=(self.columns.size,))


@dataclass(frozen=True, slots=True)
class Asinh:
    """Appends asinh(value) of n columns: like a logarithm of what is large, and odd, for columns with signs.

    Attributes:
        columns: int64, n; what it reads.
    """

    columns: Ints

    kind: ClassVar[str] = "asinh"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8",)

    def width(self) -> int:
        """How many columns it appends."""
        return int(self.columns.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        check_shapes(self, columns=(self.columns.size,))


@dataclass(frozen=True, slots=True)
class Dense:
    """Appends C columns: an activation of n columns times weights plus bias.

    Attributes:
        columns: int64, n; what it reads.
        weights: float64, n x C.
        bias: float64, C.
        activation: int64, 1; one of `detection.layer_kernels.ACTIVATIONS`.
    """

    columns: Ints
    weights: Floats
    bias: Floats
    activation: Ints

    kind: ClassVar[str] = "dense"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8", "<f8", "<f8", "<i8")

    def width(self) -> int:
        """How many columns it appends, C."""
        return int(self.bias.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        size, width = self.columns.size, self.bias.size
        check_shapes(self, columns=(size,), weights=(size, width), bias=(width,), activation=(1,))
        check_finite(self, "weights", "bias")
        if self.activation.item() not in ACTIVATIONS:
            raise ValueError(f"activation: {self.activation.item()} is none of 0 to {ACTIVATIONS[-1]}")


@dataclass(frozen=True, slots=True)
class Distance:
    """Appends one column: the mean squared difference between n columns and n others.

    Attributes:
        columns: int64, 2n; the n columns, then the others.
    """

    columns: Ints

    kind: ClassVar[str] = "distance"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8",)

    def width(self) -> int:
        """How many columns it appends."""
        return 1

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        check_shapes(self, columns=(self.columns.size,))
        if self.columns.size % 2 or not self.columns.size:
            raise ValueError(f"columns: {self.columns.size} are no two halves")


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Appends C probabilities: the shares of the classes among the k nearest of m stored rows.

    The distance is Euclid's. Nearer rows weigh more, by 1 / distance; where some are the row itself, they
    alone count. Of rows equally far the earlier stored ones are nearer.

    Attributes:
        columns: int64, n; what it reads.
        rows: float64, n x m; the stored rows, column by column.
        classes: int64, m; each row's class, 0 to C - 1.
        neighbours: int64, 1; k.
        uniform: bool, 1; whether all k weigh the same.
        labels: int64, C; 0 to C - 1.
    """

    columns: Ints
    rows: Floats
    classes: Ints
    neighbours: Ints
    uniform: NDArray[np.bool_]
    labels: Ints

    kind: ClassVar[str] = "neighbours"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8", "<f8", "<i8", "<i8", "|b1", "<i8")

    def width(self) -> int:
        """How many columns it appends, C."""
        return int(self.labels.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        size, stored, width = self.columns.size, self.classes.size, self.labels.size
        check_shapes(
            self,
            columns=(size,),
            rows=(size, stored),
            classes=(stored,),
            neighbours=(1,),
            uniform=(1,),
            labels=(width,),
        )
        check_finite(self, "rows")
        if stored > MOST_STORED:
            raise ValueError(f"rows: {stored:,} are more than {MOST_STORED:,}")
        if not 1 <= self.neighbours.item() <= stored:
            raise ValueError(f"neighbours: {self.neighbours.item()} of {stored} rows cannot be the nearest")
        if self.classes.min() < 0 or self.classes.max() >= width:
            raise ValueError(f"classes: must lie within 0 and {width - 1}")
