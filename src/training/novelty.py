"""Novelty detectors: they are fitted on benign flows only, and tell what is unlike these."""

from __future__ import annotations

from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import IsolationForest
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from flows.labels import ATTACK
from training.imputation import imputing, may_lack

Floats = NDArray[np.float64]

REFERENCE_LEVEL: Final = 0.99
"""The share of benign training flows whose error is below the one that counts as even odds."""


class Novelty(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of two classes, benign and ATTACK, fitted on the benign ones of its rows.

    Attributes:
        classes_: 0 and ATTACK.
        detector_: the fitted scikit-learn estimator behind it.
    """

    classes_: NDArray[np.int32]
    detector_: Any

    def fit(self, features: Any, codes: NDArray[np.int32]) -> Self:
        """Fit on the rows whose class is 0.

        Raises:
            ValueError: there is none.
        """
        benign = np.asarray(codes) == 0
        if not benign.any():
            raise ValueError("a novelty detector is fitted on benign flows, and there are none")
        rows = features[benign]
        self.n_features_in_ = rows.shape[1]
        self.classes_ = np.array([0, ATTACK], np.int32)
        self._fit(rows)
        return self

    def predict_proba(self, features: Any) -> Floats:
        """Return n x 2: 1 - p and p, an order of how unlike benign flows are, not a calibrated odds."""
        p = self._unlike(features)
        return np.column_stack([1.0 - p, p])

    def predict(self, features: Any) -> NDArray[np.int32]:
        """Return the likelier class of n rows."""
        return cast(NDArray[np.int32], self.classes_[self.predict_proba(features).argmax(axis=1)])

    def _fit(self, rows: Any) -> None:
        raise NotImplementedError

    def _unlike(self, rows: Any) -> Floats:
        raise NotImplementedError


class IsolationNovelty(Novelty):
    """An isolation forest; p is its anomaly score, 0.5 where a flow is as deep as is to be expected."""

    def __init__(self, seed: int = 0, *, trees: int = 100, samples: int = 256) -> None:
        self.seed = seed
        self.trees = trees
        self.samples = samples

    def _fit(self, rows: Any) -> None:
        forest = IsolationForest(
            n_estimators=self.trees, max_samples=min(self.samples, len(rows)), random_state=self.seed
        )
        self.detector_ = Pipeline([*_logarithms(rows), ("forest", forest)]).fit(rows)

    def _unlike(self, rows: Any) -> Floats:
        return -np.asarray(self.detector_.score_samples(rows), np.float64)


class AutoencoderNovelty(Novelty):
    """A network that repeats its scaled input; p = e / (e + r) of the mean squared error e.

    Attributes:
        reference_: r, the error at REFERENCE_LEVEL of the training flows.
    """

    reference_: float

    def __init__(
        self, seed: int = 0, *, width: int = 48, bottleneck: int = 8, alpha: float = 1e-4, epochs: int = 60
    ) -> None:
        self.seed = seed
        self.width = width
        self.bottleneck = bottleneck
        self.alpha = alpha
        self.epochs = epochs

    def _fit(self, rows: Any) -> None:
        before = Pipeline([*_logarithms(rows), ("scaler", StandardScaler())])
        scaled = np.asarray(before.fit_transform(rows))
        network = MLPRegressor(
            hidden_layer_sizes=(self.width, self.bottleneck, self.width),
            alpha=self.alpha,
            max_iter=self.epochs,
            random_state=self.seed,
        ).fit(scaled, scaled)
        self.detector_ = Pipeline([*before.steps, ("network", network)])
        # At least something, or a flow repeated exactly would divide by nothing.
        self.reference_ = max(float(np.quantile(self._errors(rows), REFERENCE_LEVEL)), 1e-12)

    def _unlike(self, rows: Any) -> Floats:
        errors = self._errors(rows)
        return errors / (errors + self.reference_)

    def _errors(self, rows: Any) -> Floats:
        scaled = np.asarray(self.detector_[:-1].transform(rows))
        return cast(Floats, np.square(scaled - self.detector_[-1].predict(scaled)).mean(axis=1))


def _logarithms(rows: Any) -> list[tuple[str, Any]]:
    log = Pipeline([("log", FunctionTransformer(np.log1p))])
    lacks = may_lack(np.asarray(rows), getattr(rows, "columns", ()))
    return list((imputing(log) if lacks else log).steps)
