"""From probabilities to decisions: attack or benign, which class, or insufficient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detection.record import InsufficientRule
from flows.jit import kernel


def enough(
    features: NDArray[np.float64], sizes: NDArray[np.int64], rule: InsufficientRule | None
) -> NDArray[np.bool_]:
    """Return which of n flows a verdict may be given for; NaN and negative durations count as none.

    Args:
        features: n x F, raw.
        sizes: the columns of `record.SIZES`.
        rule: the model's own; None lets every flow be judged.
    """
    if rule is None:
        return np.ones(features.shape[0], np.bool_)
    answers = np.empty(features.shape[0], np.bool_)
    _find_enough(
        np.ascontiguousarray(features, np.float64), sizes, rule.max_packets, rule.max_duration_us, answers
    )
    return answers


@kernel
def _find_enough(
    features: NDArray[np.float64],
    sizes: NDArray[np.int64],
    max_packets: int,
    max_duration_us: int,
    answers: NDArray[np.bool_],
) -> None:
    forward, backward, duration = sizes[0], sizes[1], sizes[2]
    for i in range(features.shape[0]):
        packets = features[i, forward] + features[i, backward]
        answers[i] = packets > max_packets and features[i, duration] > max_duration_us


@kernel
def decide(
    probabilities: NDArray[np.float64],
    enough: NDArray[np.bool_],
    codes: NDArray[np.int32],
    benign: int,
    threshold: float,
    code: NDArray[np.int32],
    p_attack: NDArray[np.float64],
    p_label: NDArray[np.float64],
) -> None:
    """Write n decisions: the likeliest attack class where P(attack) reaches the threshold, else benign.

    Args:
        probabilities: n x C.
        enough: n; whether a verdict may be given. Without one both probabilities are NaN.
        codes: C; 0 in column `benign`.
        benign: the column of P(benign).
        threshold: on P(attack).
        code, p_attack, p_label: n each; the answers.
    """
    for i in range(probabilities.shape[0]):
        column = benign
        p_attack[i] = 1.0 - probabilities[i, benign]
        if p_attack[i] >= threshold and enough[i]:
            column = 1 if benign == 0 else 0
            for k in range(column + 1, probabilities.shape[1]):
                if k != benign and probabilities[i, k] > probabilities[i, column]:
                    column = k
        code[i] = codes[column]
        p_label[i] = probabilities[i, column]
        if not enough[i]:
            p_attack[i] = np.nan
            p_label[i] = np.nan
