"""A model that was made elsewhere as a kind of estimator: nothing is fitted, it answers as it is."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from detection.scorer import Scorer
from training.estimators import Kind


class AsRegistered:
    """A scorer under scikit-learn's names."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self.classes_ = np.array(scorer.record.classes, np.int32)

    def fit(self, features: Any, codes: NDArray[np.int32]) -> Self:
        """Do nothing."""
        return self

    def predict_proba(self, features: Any) -> NDArray[np.float64]:
        """Return n x C probabilities of a frame with the features' names.

        Raises:
            ValueError: the frame lacks features that the model reads.
        """
        if missing := self._scorer.missing(tuple(features.columns)):
            raise ValueError(f"the flows lack features that the model reads: {', '.join(missing)}")
        return self._scorer.probabilities(features[list(self._scorer.record.features)].to_numpy(np.float64))


def as_registered(scorer: Scorer) -> Kind:
    """Return a kind that is this one model."""
    return Kind("as-registered", scorer.record.description, lambda seed: AsRegistered(scorer))
