"""What a single column tells: features that alone separate a class, and columns no model may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.preprocess import clean
from flows.labels import BY_CODE
from training.dataset import LabelledFlows
from training.recipe import PREPROCESSING

LIMIT: Final = 0.9
"""A column is flagged where one cut through it separates a class with more than this balanced accuracy."""


@dataclass(frozen=True, slots=True)
class Separation:
    """One column's best cut between one class and all other flows.

    Attributes:
        column: the feature's name, or a column's that models never read.
        code: the class.
        n: flows of the class.
        cut: flows above or below it are taken for the class.
        above: whether it is those above.
        balanced_accuracy: the mean of the share found of the class and the share left of the others.
    """

    column: str
    code: int
    n: int
    cut: float
    above: bool
    balanced_accuracy: float

    @property
    def name(self) -> str:
        """The class's name."""
        return BY_CODE[self.code].name


def audit(flows: LabelledFlows, others: Mapping[str, NDArray[np.float64]]) -> tuple[Separation, ...]:
    """Return, for every class, each column's best cut: of the features, and of other columns of n values.

    The cut is that of a tree of one split, found on all flows: it says what a column tells, not what a
    model would reach.
    """
    codes, which = np.unique(flows.codes, return_inverse=True)
    columns = dict(zip(flows.names, flows.features.T, strict=True)) | dict(others)
    return tuple(
        separation
        for name, values in columns.items()
        for separation in _separations(name, clean(values, PREPROCESSING), codes, which.reshape(-1))
    )


def _separations(
    name: str, values: NDArray[np.float64], codes: NDArray[np.int32], which: NDArray[np.int64]
) -> list[Separation]:
    order = np.argsort(values, kind="stable")
    ends = np.flatnonzero(np.diff(values[order], append=np.inf) > 0)
    totals = np.bincount(which, minlength=len(codes))
    found = []
    for number, code in enumerate(codes.tolist()):
        hits = np.cumsum(which[order] == number)[ends]
        inside = hits / totals[number]
        outside = (ends + 1 - hits) / max(len(values) - totals[number], 1)
        gain = inside - outside
        best = int(np.abs(gain).argmax())
        found.append(
            Separation(
                column=name,
                code=code,
                n=int(totals[number]),
                cut=float(values[order][ends[best]]),
                above=bool(gain[best] < 0),
                balanced_accuracy=float((1 + abs(gain[best])) / 2),
            )
        )
    return found


def flagged(separations: tuple[Separation, ...]) -> tuple[Separation, ...]:
    """Return those above LIMIT, the best first."""
    above = (each for each in separations if each.balanced_accuracy > LIMIT)
    return tuple(sorted(above, key=lambda each: (-each.balanced_accuracy, each.code, each.column)))
