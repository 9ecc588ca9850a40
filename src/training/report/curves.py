"""Attack against benign over all thresholds: precision and recall, ROC, calibration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, precision_recall_curve, roc_curve

POINTS: Final = 200
"""So many points of a curve are kept at most."""
BINS: Final = 10
ALLOWED_SHARE: Final = 0.001
"""The share of benign rows that may be flagged where `recall_at_allowed` is read."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose p_attack lies in one tenth of [0, 1]: how many, mean p_attack, share of attacks."""

    rows: int
    mean: float
    attacks: float


@dataclass(frozen=True, slots=True)
class Curves:
    """A detector over all thresholds, attacks being the positive class.

    Attributes:
        recall, precision: a curve of at most POINTS points.
        false_positives, true_positives: rates, a curve of at most POINTS points.
        average_precision, roc_auc: areas under them.
        recall_at_allowed: the most attacks flagged by a threshold that flags at most ALLOWED_SHARE of the
            benign rows; the threshold is chosen with the test rows in sight.
        calibration: the bins that have rows.
        brier: the mean squared distance of p_attack from the truth.
        calibration_error: the mean distance of a bin's p_attack from its share of attacks, by rows.
    """

    recall: tuple[float, ...]
    precision: tuple[float, ...]
    false_positives: tuple[float, ...]
    true_positives: tuple[float, ...]
    average_precision: float
    roc_auc: float
    recall_at_allowed: float
    calibration: tuple[Bin, ...]
    brier: float
    calibration_error: float


def curves(p_attack: NDArray[np.float64], attack: NDArray[np.bool_]) -> Curves:
    """Return the curves of n rows.

    Raises:
        ValueError: there is no attack or no benign row among them.
    """
    if attack.all() or not attack.any():
        raise ValueError("curves need attacks and benign rows")
    precision, recall, _ = precision_recall_curve(attack, p_attack)
    false, true, _ = roc_curve(attack, p_attack, drop_intermediate=False)
    bins = _bins(p_attack, attack)
    return Curves(
        recall=_thinned(recall),
        precision=_thinned(precision),
        false_positives=_thinned(false),
        true_positives=_thinned(true),
        average_precision=float(average_precision_score(attack, p_attack)),
        roc_auc=float(np.trapezoid(true, false)),
        recall_at_allowed=recall_at(p_attack, attack),
        calibration=bins,
        brier=float(brier_score_loss(attack, p_attack.clip(0.0, 1.0))),
        calibration_error=sum(part.rows * abs(part.mean - part.attacks) for part in bins) / len(attack),
    )


def recall_at(p_attack: NDArray[np.float64], attack: NDArray[np.bool_]) -> float:
    """Return the most attacks flagged by a threshold that flags at most ALLOWED_SHARE of the benign rows."""
    false, true, _ = roc_curve(attack, p_attack, drop_intermediate=False)
    return float(true[false <= ALLOWED_SHARE].max())


def _thinned(axis: NDArray[np.float64]) -> tuple[float, ...]:
    """Return values of a curve's axis, evenly taken by number, its ends among them."""
    kept = np.unique(np.linspace(0, len(axis) - 1, min(POINTS, len(axis))).round().astype(int))
    return tuple(np.round(axis[kept], 6).tolist())


def _bins(p_attack: NDArray[np.float64], attack: NDArray[np.bool_]) -> tuple[Bin, ...]:
    which = (p_attack * BINS).astype(int).clip(0, BINS - 1)
    return tuple(
        Bin(int(rows.sum()), float(p_attack[rows].mean()), float(attack[rows].mean()))
        for rows in (which == number for number in range(BINS))
        if rows.any()
    )
