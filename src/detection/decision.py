"""From probabilities to decisions: attack or benign, which class, or insufficient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flows.jit import kernel


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
