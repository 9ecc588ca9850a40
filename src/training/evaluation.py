"""Figures of a classifier on labelled flows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.labels import BY_CODE


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class's figures on n test rows of that class."""

    code: int
    n: int
    precision: float
    recall: float
    f1: float

    @property
    def name(self) -> str:
        """The class's name."""
        return BY_CODE[self.code].name


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A classifier's figures on test rows.

    Attributes:
        train_rows, test_rows: how many rows it was fitted and measured on.
        classes: each class's figures, its label being the most probable one.
        accuracy: share of the rows whose label is right.
        attacks_flagged: share of attack rows at or above the operating threshold.
        benign_flagged: share of benign rows at or above it.
        confusion: rows by class and by most probable class, where there are any.
    """

    train_rows: int
    test_rows: int
    classes: tuple[ClassFigures, ...]
    accuracy: float
    attacks_flagged: float
    benign_flagged: float
    confusion: dict[tuple[int, int], int]

    @property
    def macro_f1(self) -> float:
        """The mean of the classes' F1."""
        return float(np.mean([figures.f1 for figures in self.classes]))

    def metrics(self) -> dict[str, float]:
        """Return all figures by name, as MLflow allows metrics to be named."""
        named = {"accuracy": self.accuracy, "macro f1": self.macro_f1}
        for figures in self.classes:
            named |= {
                f"{figures.name}/precision": figures.precision,
                f"{figures.name}/recall": figures.recall,
                f"{figures.name}/f1": figures.f1,
                f"{figures.name}/n": figures.n,
            }
        for (code, given), rows in self.confusion.items():
            named[f"confusion/{BY_CODE[code].name}/{BY_CODE[given].name}"] = rows
        return named


def evaluate(
    probabilities: NDArray[np.float64],
    codes: NDArray[np.int32],
    classes: tuple[int, ...],
    *,
    threshold: float,
    train_rows: int,
) -> Evaluation:
    """Return the figures of n x C probabilities on rows of the given true codes."""
    predicted = np.array(classes, np.int32)[probabilities.argmax(axis=1)]
    flagged = 1.0 - probabilities[:, classes.index(0)] >= threshold
    return Evaluation(
        train_rows=train_rows,
        test_rows=int(codes.shape[0]),
        classes=tuple(_class_figures(code, codes, predicted) for code in classes),
        accuracy=float(np.mean(predicted == codes)),
        attacks_flagged=float(np.mean(flagged[codes != 0])),
        benign_flagged=float(np.mean(flagged[codes == 0])),
        confusion=_confusion(codes, predicted),
    )


def _confusion(codes: NDArray[np.int32], predicted: NDArray[np.int32]) -> dict[tuple[int, int], int]:
    pairs, counts = np.unique(np.column_stack([codes, predicted]), axis=0, return_counts=True)
    return {(code, given): rows for (code, given), rows in zip(pairs.tolist(), counts.tolist(), strict=True)}


def _class_figures(code: int, codes: NDArray[np.int32], predicted: NDArray[np.int32]) -> ClassFigures:
    hits = int(np.sum((codes == code) & (predicted == code)))
    of_class, called = int(np.sum(codes == code)), int(np.sum(predicted == code))
    return ClassFigures(
        code=code,
        n=of_class,
        precision=hits / called if called else 0.0,
        recall=hits / of_class if of_class else 0.0,
        f1=2 * hits / (of_class + called) if of_class + called else 0.0,
    )
