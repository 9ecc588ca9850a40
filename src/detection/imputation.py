"""Steps that put something in the place of what is not known, NaN, and tell where they did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from detection.step_checks import Floats, Ints, check_finite, check_shapes


@dataclass(frozen=True, slots=True)
class Fill:
    """Appends n columns with a value of each in the place of NaN.

    Attributes:
        columns: int64, n; what it reads.
        fill: float64, n.
    """

    columns: Ints
    fill: Floats

    kind: ClassVar[str] = "fill"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8", "<f8")

    def width(self) -> int:
        """How many columns it appends."""
        return int(self.columns.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        size = (self.columns.size,)
        check_shapes(self, columns=size, fill=size)
        check_finite(self, "fill")


@dataclass(frozen=True, slots=True)
class Missing:
    """Appends 1 for each of n columns that is NaN, 0 for each that is not.

    Attributes:
        columns: int64, n; what it reads.
    """

    columns: Ints

    kind: ClassVar[str] = "missing"
    dtypes: ClassVar[tuple[str, ...]] = ("<i8",)

    def width(self) -> int:
        """How many columns it appends."""
        return int(self.columns.size)

    def check(self) -> None:
        """Raise ValueError when its arrays do not fit together."""
        check_shapes(self, columns=(self.columns.size,))
