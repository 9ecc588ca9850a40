"""What reproducing a publication gives: its figures, and ours beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from training.intervals import Interval

SEED: Final = 42
Told = Callable[[str], None]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Result:
    """One figure.

    Attributes:
        on: the protocol, and what was measured on.
        model: what was fitted.
        metric: what the figure is.
        published: what its authors report, None where they report none.
        ours: what was measured here.
        interval: of ours, where it is known.
    """

    on: str
    model: str
    metric: str
    published: float | None
    ours: float
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Reproduction:
    """All figures of one publication, and what to know of them."""

    title: str
    rows: int
    results: tuple[Result, ...]
    notes: tuple[str, ...]


def parted(
    codes: NDArray[np.int32], test: float, validation: float, seed: int = SEED
) -> tuple[Rows, Rows, Rows]:
    """Return random rows for training, validation and testing, every class alike.

    Raises:
        ValueError: a class has too few rows.
    """
    everything = np.arange(len(codes))
    train, held = train_test_split(everything, test_size=test + validation, stratify=codes, random_state=seed)
    validate, tested = train_test_split(
        held, test_size=test / (test + validation), stratify=codes[held], random_state=seed
    )
    return train, validate, tested


def files_named(locations: Sequence[str], *beginnings: str) -> Path | None:
    """Return the first file at or below the locations whose name begins so, in lower case; None for none."""
    for location in locations:
        path = Path(location)
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            if file.is_file() and file.name.lower().startswith(beginnings):
                return file
    return None


def average_precision(truth: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """Return the area under the curve of precision and recall, as scikit-learn sums it."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth, score))


def attack_score(estimator: Any, features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the probability of the second of an estimator's two classes."""
    answers: NDArray[np.float64] = np.asarray(estimator.predict_proba(features), np.float64)[:, 1]
    return answers
