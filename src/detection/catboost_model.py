"""CatBoost models: their own file, applied by CatBoost's own code, which is an extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.model import check_width

MISSING = "CatBoost is not installed, and this model needs it: pip install 'ml-ids[catboost]'"


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
