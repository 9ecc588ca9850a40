"""Which features a model goes by: what its trees and weights say, and what shuffling a feature costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from training.dataset import LabelledFlows
from training.estimators import SEED, evenly
from training.report.split_study import Fitted

ROWS: Final = 2000
REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Importance:
    """One feature's weight in a model.

    Attributes:
        built_in: its share of the trees' gain, or else of the absolute weights; None where a model has none.
        permuted: by how much macro F1 falls when the feature's values are shuffled, the mean of REPEATS.
        spread: the standard deviation of that.
    """

    feature: str
    built_in: float | None
    permuted: float
    spread: float


def importances(
    found: Fitted, test: LabelledFlows, *, rows: int = ROWS, seed: int = SEED
) -> tuple[Importance, ...]:
    """Return every feature's importance, the greatest fall first, on at most `rows` test rows, classes alike.

    Features that say the same stand in for each other: shuffling one of them costs little.
    """
    codes = found.kind.codes(test.codes)
    chosen = evenly(codes, rows, seed)
    features, true = test.features[chosen], codes[chosen]
    built_in = built_in_importance(found.estimator, len(found.names))
    whole = _score(found, features, true)
    random = np.random.default_rng(seed)
    permuted = [
        importance_of(found, features, true, column, whole, random) for column in range(len(found.names))
    ]
    answers = [
        Importance(name, None if built_in is None else float(built_in[at]), *permuted[at])
        for at, name in enumerate(found.names)
    ]
    return tuple(sorted(answers, key=lambda each: (-each.permuted, -(each.built_in or 0.0), each.feature)))


def importance_of(
    found: Fitted,
    features: NDArray[np.float64],
    true: NDArray[np.int32],
    column: int,
    whole: float,
    random: np.random.Generator,
) -> tuple[float, float]:
    """Return mean and deviation of the fall of macro F1 below `whole` when one column is shuffled."""
    shuffled = np.repeat(features[None], REPEATS, axis=0)
    for part in shuffled:
        part[:, column] = random.permutation(part[:, column])
    falls = [whole - _score(found, part, true) for part in shuffled]
    return float(np.mean(falls)), float(np.std(falls))


def _score(found: Fitted, features: NDArray[np.float64], true: NDArray[np.int32]) -> float:
    given = np.array(found.classes, np.int32)[found.probabilities(features).argmax(axis=1)]
    return float(f1_score(true, given, labels=np.unique(true), average="macro", zero_division=0.0))


def built_in_importance(estimator: Any, features: int) -> NDArray[np.float64] | None:
    """Return F shares that add up to 1, None where the estimator tells none.

    Of a stack it is that of its first part that has any; the others see the same features.
    """
    for part in _parts(estimator):
        gains = getattr(part, "feature_importances_", None)
        if gains is None and getattr(part, "coef_", None) is not None:
            gains = np.abs(part.coef_).mean(axis=0)
        if gains is not None and np.shape(gains) == (features,) and np.sum(gains) > 0:
            shares: NDArray[np.float64] = np.asarray(gains, np.float64) / np.sum(gains)
            return shares
    return None


def _parts(estimator: Any) -> list[Any]:
    if hasattr(estimator, "steps"):
        return _parts(estimator.steps[-1][1])
    inner = getattr(estimator, "estimators_", None)
    if hasattr(estimator, "final_estimator_") and inner is not None:
        return [part for each in inner for part in _parts(each)]
    return [estimator]
