"""Figures of a classifier on labelled flows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.labels import BY_CODE
from training.intervals import Interval, bootstrapped_f1, f1_of, percentiles, wilson

HEADLINE_ROWS: Final = 30
"""Classes with fewer test rows are reported and have no part in the headline figure."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class's figures on n test rows of that class, with their 95 % intervals."""

    code: int
    n: int
    precision: float
    recall: float
    f1: float
    precision_interval: Interval
    recall_interval: Interval
    f1_interval: Interval

    @property
    def name(self) -> str:
        """The class's name."""
        return BY_CODE[self.code].name


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A classifier's figures on test rows.

    Attributes:
        train_rows, test_rows: how many rows it was fitted and measured on.
        threshold: the operating threshold on 1 - P(benign).
        classes: each class's figures, its label being the most probable one; those of the model and of the
            test rows.
        untrained: codes of classes with test rows that the model was not taught.
        accuracy: share of the rows whose label is right.
        macro_f1: the mean F1 of the classes with test rows.
        headline_f1: the same of the classes with HEADLINE_ROWS test rows and more, 0 when there is none.
        attacks_flagged, benign_flagged: share of attack and benign rows at or above the threshold.
        attacks_called, benign_called: share of them whose most probable class is an attack.
        confusion: rows by the class's name and by that of the most probable class, where there are any.
    """

    train_rows: int
    test_rows: int
    threshold: float
    classes: tuple[ClassFigures, ...]
    untrained: tuple[int, ...]
    accuracy: float
    macro_f1: float
    macro_f1_interval: Interval
    headline_f1: float
    headline_f1_interval: Interval
    attacks_flagged: float
    attacks_flagged_interval: Interval
    benign_flagged: float
    benign_flagged_interval: Interval
    attacks_called: float
    benign_called: float
    confusion: dict[str, dict[str, int]]

    def metrics(self) -> dict[str, float]:
        """Return all figures by name, as MLflow allows metrics to be named."""
        named = {
            "accuracy": self.accuracy,
            "macro f1": self.macro_f1,
            "attack recall": self.attacks_called,
            "false positive rate": self.benign_called,
        }
        for figures in self.classes:
            named |= {
                f"{figures.name}/precision": figures.precision,
                f"{figures.name}/recall": figures.recall,
                f"{figures.name}/f1": figures.f1,
                f"{figures.name}/n": figures.n,
            }
        for true, row in self.confusion.items():
            named |= {f"confusion/{true}/{given}": rows for given, rows in row.items()}
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
    attack = codes != 0
    known = tuple(sorted({*classes, *np.unique(codes).tolist()}))
    counts = _counts(codes, predicted, known)
    n = counts.sum(axis=1)
    drawn = bootstrapped_f1(counts)
    return Evaluation(
        train_rows=train_rows,
        test_rows=len(codes),
        threshold=threshold,
        classes=tuple(_class_figures(known, counts, drawn, index) for index in range(len(known))),
        untrained=tuple(code for code in known if code not in classes),
        accuracy=float(np.mean(predicted == codes)),
        macro_f1=_macro(f1_of(counts), n > 0),
        macro_f1_interval=_macro_interval(drawn, n > 0),
        headline_f1=_macro(f1_of(counts), n >= HEADLINE_ROWS),
        headline_f1_interval=_macro_interval(drawn, n >= HEADLINE_ROWS),
        attacks_flagged=_share(flagged[attack]),
        attacks_flagged_interval=_wilson(flagged[attack]),
        benign_flagged=_share(flagged[~attack]),
        benign_flagged_interval=_wilson(flagged[~attack]),
        attacks_called=_share(predicted[attack] != 0),
        benign_called=_share(predicted[~attack] != 0),
        confusion=_confusion(known, counts),
    )


def _counts(
    codes: NDArray[np.int32], predicted: NDArray[np.int32], known: tuple[int, ...]
) -> NDArray[np.int64]:
    rows, columns = np.searchsorted(known, codes), np.searchsorted(known, predicted)
    counts = np.zeros((len(known), len(known)), np.int64)
    np.add.at(counts, (rows, columns), 1)
    return counts


def _confusion(known: tuple[int, ...], counts: NDArray[np.int64]) -> dict[str, dict[str, int]]:
    rows: dict[str, dict[str, int]] = {}
    for row, column in np.argwhere(counts).tolist():
        rows.setdefault(BY_CODE[known[row]].name, {})[BY_CODE[known[column]].name] = int(counts[row, column])
    return rows


def _class_figures(
    known: tuple[int, ...], counts: NDArray[np.int64], drawn: NDArray[np.float64], index: int
) -> ClassFigures:
    hits = int(counts[index, index])
    of_class, called = int(counts[index].sum()), int(counts[:, index].sum())
    return ClassFigures(
        code=known[index],
        n=of_class,
        precision=hits / called if called else 0.0,
        recall=hits / of_class if of_class else 0.0,
        f1=float(f1_of(counts)[index]),
        precision_interval=wilson(hits, called),
        recall_interval=wilson(hits, of_class),
        f1_interval=percentiles(drawn[:, index]),
    )


def _macro(f1: NDArray[np.float64], counted: NDArray[np.bool_]) -> float:
    return float(f1[counted].mean()) if counted.any() else 0.0


def _macro_interval(drawn: NDArray[np.float64], counted: NDArray[np.bool_]) -> Interval:
    if not counted.any():
        return Interval(0.0, 1.0)
    of_counted = drawn[:, counted]
    known = (~np.isnan(of_counted)).sum(axis=1)
    means = np.divide(np.nansum(of_counted, axis=1), known, out=np.full(len(drawn), np.nan), where=known > 0)
    return percentiles(means)


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else 0.0


def _wilson(hits: NDArray[np.bool_]) -> Interval:
    return wilson(int(hits.sum()), len(hits))
