"""CatBoost models: their own file, applied by CatBoost's own code, which is an extra."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detection.model import check_width

FILLING: Final = "ml-ids-filling"
"""The key of a `Filling` in a model file's metadata."""

BEYOND: Final = 3e38
"""From here on a value stands for an infinity."""

MISSING = "CatBoost is not installed, and this model needs it: pip install 'ml-ids[catboost]'"


@dataclass(frozen=True, slots=True)
class Filling:
    """What stands for values that training took for missing: NaN, infinities, and negative ones.

    Attributes:
        medians: one a feature; NaN leaves it to the trees.
        negative: whether each feature may be negative.
    """

    medians: NDArray[np.float64]
    negative: NDArray[np.bool_]

    def fill(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return n x F rows without what is missing."""
        lacking = ~(np.abs(rows) < BEYOND) | ((rows < 0) & ~self.negative)
        return np.where(lacking, self.medians, rows)

    def to_json(self) -> str:
        """Return it as text."""
        medians = [None if np.isnan(value) else value for value in self.medians.tolist()]
        return json.dumps({"medians": medians, "negative": self.negative.tolist()})

    @classmethod
    def from_json(cls, text: str) -> Filling:
        """Read the text.

        Raises:
            ValueError: it is none.
        """
        try:
            found = json.loads(text)
            return cls(np.array(found["medians"], np.float64), np.array(found["negative"], np.bool_))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{FILLING} cannot be read: {error}") from None


class CatBoostModel:
    """A CatBoost classifier of numeric features; loading one executes nothing of the file."""

    def __init__(self, applier: Any) -> None:
        """Take a fitted or loaded CatBoostClassifier.

        Raises:
            ValueError: it is no classifier, or reads features that are not numbers.
        """
        self._applier = applier
        known = applier.classes_
        self._classes = 0 if known is None else len(known)
        if self._classes < 2:
            raise ValueError("the CatBoost model is no classifier: it has no classes")
        names = tuple(applier.feature_names_)
        if kinds := {*applier.get_cat_feature_indices(), *applier.get_text_feature_indices()}:
            unread = ", ".join(names[at] for at in sorted(kinds))
            raise ValueError(f"the CatBoost model reads features that are not numbers: {unread}")
        self._features = len(names)
        written = applier.get_metadata().get(FILLING)
        self._filling = Filling.from_json(written) if written else None
        if self._filling and not len(self._filling.medians) == len(self._filling.negative) == len(names):
            raise ValueError(f"{FILLING} is not of {len(names)} features")

    @classmethod
    def from_bytes(cls, content: bytes) -> CatBoostModel:
        """Load the content of a .cbm file.

        Raises:
            ModuleNotFoundError: CatBoost is not installed; the message says how to install it.
            ValueError: it is not such a file, or no classifier of numeric features.
        """
        catboost = import_catboost()
        applier = catboost.CatBoostClassifier()
        try:
            applier.load_model(blob=content)
        except catboost.CatBoostError as error:
            raise ValueError(f"not a CatBoost model: {str(error).strip()}") from None
        return cls(applier)

    @property
    def features(self) -> int:
        """F, how many features a row has."""
        return self._features

    @property
    def classes(self) -> int:
        """C, how many classes the model knows."""
        return self._classes

    @property
    def takes_nan(self) -> bool:
        """Whether rows may hold NaN: CatBoost's trees know where it goes."""
        return True

    def probabilities(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return n x C class probabilities of n x F preprocessed rows.

        Raises:
            ValueError: the rows do not have F columns.
        """
        check_width(rows, self._features)
        if not len(rows):
            return np.empty((0, self._classes))
        if self._filling:
            rows = self._filling.fill(rows)
        # One thread: a pool would take the cores from capture, and cost more than a small batch.
        answers = self._applier.predict(rows, prediction_type="Probability", thread_count=1)
        return np.asarray(answers, np.float64).reshape(len(rows), self._classes)

    def save(self, path: Path) -> None:
        """Write the model's own file."""
        self._applier.save_model(str(path), format="cbm")


def import_catboost() -> Any:
    """Return the module.

    Raises:
        ModuleNotFoundError: it is not installed; the message says how to install it.
    """
    try:
        import catboost
    except ModuleNotFoundError:
        raise ModuleNotFoundError(MISSING) from None
    return catboost
