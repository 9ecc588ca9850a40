"""What a remote model answers, read and checked: decisions, probabilities, class codes or labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import orjson
from numpy.typing import NDArray

from flows.labels import ATTACK, BY_CODE, find_label

Numbers = Literal["attack", "code"]
"""What a number is: 0 benign, 1 attack and what is between P(attack), or a class code of the label table."""

PREDICTIONS: Final = "predictions"
SUM_TOLERANCE: Final = 1e-3
"""By how much a row of class probabilities may miss 1."""


class AnswerError(ValueError):
    """An answer that cannot be used; says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says of n flows.

    Attributes:
        p_attack: float64, n; 0 or 1 where the model only decides.
        code: int32, n; the class where the model names it, `flows.labels.ATTACK` where it says no more than
            attack, 0 where it says benign; None where `p_attack` is still to be compared with a threshold.
    """

    p_attack: NDArray[np.float64]
    code: NDArray[np.int32] | None

    def codes(self, threshold: float) -> NDArray[np.int32]:
        """Return n class codes."""
        if self.code is not None:
            return self.code
        return np.where(self.p_attack >= threshold, ATTACK, 0).astype(np.int32)


def read_answer(content: bytes, rows: int, numbers: Numbers) -> Answer:
    """Read the JSON that a model answered to so many rows.

    It is a list, or an object whose `predictions` are one, with an entry a row, all of one kind: a number
    (see `Numbers`), a label of the label table, or a list of class probabilities whose first is P(benign).

    Raises:
        AnswerError: it is not that, or not finite, or of another number of rows.
    """
    try:
        decoded = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise AnswerError("the answer is not JSON") from None
    if isinstance(decoded, dict):
        decoded = decoded.get(PREDICTIONS)
    if not isinstance(decoded, list):
        raise AnswerError(f"the answer is neither a list nor an object with a list of {PREDICTIONS}")
    if len(decoded) != rows:
        raise AnswerError(f"{len(decoded)} answers to {rows} flows")
    kinds = set(map(type, decoded))
    if kinds == {str}:
        return _labels(decoded)
    if kinds == {list}:
        return _probabilities(decoded, numbers)
    if not kinds <= {bool, int, float}:
        raise AnswerError("entries of the answer are not all numbers, or all labels, or all lists of numbers")
    return _numbers(np.array(decoded, np.float64), numbers)


def _labels(labels: Sequence[str]) -> Answer:
    try:
        codes = {label: find_label(label).code for label in set(labels)}
    except ValueError as error:
        raise AnswerError(str(error)) from None
    return _decided(np.array([codes[label] for label in labels], np.int32))


def _numbers(values: NDArray[np.float64], numbers: Numbers) -> Answer:
    if not np.isfinite(values).all():
        raise AnswerError("a number of the answer is not finite")
    if numbers == "code":
        strange = [value for value in np.unique(values).tolist() if value not in BY_CODE]
        if strange:
            raise AnswerError(f"{strange[0]:g} is no class code of the label table")
        return _decided(values.astype(np.int32))
    outside = (values < 0) | (values > 1)
    if outside.any():
        wrong = values[outside][0]
        raise AnswerError(
            f"{wrong:g} is neither 0 (benign), nor 1 (attack), nor between: if these are class codes, set "
            "REMOTE_MODEL_NUMBERS=code"
        )
    return Answer(values, None)


def _probabilities(entries: Sequence[list[Any]], numbers: Numbers) -> Answer:
    widths = set(map(len, entries))
    if len(widths) > 1 or not all(type(value) in (int, float) for entry in entries for value in entry):
        raise AnswerError("rows of the answer are not lists of as many numbers each")
    matrix = np.array(entries, np.float64)
    if matrix.shape[1] == 1:
        return _numbers(matrix[:, 0], numbers)
    if not np.isfinite(matrix).all() or (matrix < 0).any() or (matrix > 1).any():
        raise AnswerError("a class probability of the answer is not between 0 and 1")
    if matrix.shape[1] == 0 or (np.abs(matrix.sum(axis=1) - 1) > SUM_TOLERANCE).any():
        raise AnswerError("class probabilities of a row do not add up to 1")
    return Answer(1.0 - matrix[:, 0], None)


def _decided(code: NDArray[np.int32]) -> Answer:
    return Answer((code != 0).astype(np.float64), code)
