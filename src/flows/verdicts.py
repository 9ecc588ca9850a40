"""Verdicts: a model's answers for the rows of a FlowTable, in the same order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.explanations import Explanation
from flows.labels import BY_CODE

BENIGN: Final = "benign"
INSUFFICIENT: Final = "insufficient"


def verdict_name(code: int) -> str:
    """Return what a verdict of a class code is called: the class's name, or `benign`."""
    return BY_CODE[code].name if code else BENIGN


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A model's answers for n flows.

    Attributes:
        code: int32, n; class code, 0 (benign) below the threshold and for insufficient flows.
        p_attack: float64, n; 1 - P(benign), NaN where insufficient.
        p_label: float64, n; the probability of the class in `code`, NaN where insufficient.
        insufficient: bool, n; the model knows nothing of such flows (one packet, no duration).
        threshold: the operating threshold on `p_attack`.
        model_name, model_version: what answered.
        schema_id: the feature schema the model reads.
        explanations: one a flow or None each; None where nobody asked for any.
    """

    code: NDArray[np.int32]
    p_attack: NDArray[np.float64]
    p_label: NDArray[np.float64]
    insufficient: NDArray[np.bool_]
    threshold: float
    model_name: str
    model_version: str
    schema_id: str
    explanations: tuple[Explanation | None, ...] | None = None

    def __len__(self) -> int:
        return int(self.code.shape[0])

    @property
    def is_attack(self) -> NDArray[np.bool_]:
        """Whether each flow is called an attack."""
        return np.not_equal(self.code, 0)

    def label(self, row: int) -> str:
        """Return the name of a row's verdict: a class name, `benign` or `insufficient`."""
        return INSUFFICIENT if self.insufficient[row] else verdict_name(int(self.code[row]))

    def labels(self) -> NDArray[np.object_]:
        """Return the n names of the verdicts; see `label`."""
        unjudged = -1
        codes, where = np.unique(np.where(self.insufficient, unjudged, self.code), return_inverse=True)
        names = [INSUFFICIENT if code == unjudged else verdict_name(code) for code in codes.tolist()]
        return np.array([*names, ""], dtype=object)[where]

    def take(self, rows: NDArray[Any] | slice) -> Verdicts:
        """Return the rows chosen by a mask, indices or a slice."""
        return Verdicts(
            code=self.code[rows],
            p_attack=self.p_attack[rows],
            p_label=self.p_label[rows],
            insufficient=self.insufficient[rows],
            threshold=self.threshold,
            model_name=self.model_name,
            model_version=self.model_version,
            schema_id=self.schema_id,
            explanations=None if self.explanations is None else self._explanations_of(rows),
        )

    def _explanations_of(self, rows: NDArray[Any] | slice) -> tuple[Explanation | None, ...]:
        assert self.explanations is not None
        return tuple(self.explanations[row] for row in np.arange(len(self))[rows].tolist())


def concat_verdicts(parts: Sequence[Verdicts]) -> Verdicts:
    """Join answers of one model.

    Raises:
        ValueError: there is none, or they are of different models or thresholds.
    """
    if not parts:
        raise ValueError("no verdicts to join")
    first = parts[0]
    if len(parts) == 1:
        return first
    if any(_origin(part) != _origin(first) for part in parts):
        raise ValueError("verdicts of different models cannot be joined")
    explained = any(part.explanations is not None for part in parts)
    return replace(
        first,
        code=np.concatenate([part.code for part in parts]),
        p_attack=np.concatenate([part.p_attack for part in parts]),
        p_label=np.concatenate([part.p_label for part in parts]),
        insufficient=np.concatenate([part.insufficient for part in parts]),
        explanations=tuple(chain.from_iterable(part.explanations or (None,) * len(part) for part in parts))
        if explained
        else None,
    )


def _origin(verdicts: Verdicts) -> tuple[str, str, str, float]:
    return verdicts.model_name, verdicts.model_version, verdicts.schema_id, verdicts.threshold
