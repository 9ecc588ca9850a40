"""The estimator: a random forest and a logistic regression, stacked by another one."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

SEED = 42
FOLDS = 5


def stacked(*, trees: int = 100, depth: int = 20, seed: int = SEED) -> Pipeline:
    """Return the unfitted pipeline; classes weigh the same whatever their counts."""
    forest = RandomForestClassifier(
        trees, max_depth=depth, class_weight="balanced", random_state=seed, n_jobs=1
    )
    linear = LogisticRegression(max_iter=2000, class_weight="balanced", random_state=seed)
    stack = StackingClassifier(
        [("rf", forest), ("lr", linear)],
        LogisticRegression(max_iter=2000, random_state=seed),
        cv=FOLDS,
        n_jobs=1,
    )
    return Pipeline([("scaler", StandardScaler()), ("stack", stack)])


def fit(
    pipeline: Pipeline, features: NDArray[np.float64], codes: NDArray[np.int32], names: tuple[str, ...]
) -> Pipeline:
    """Fit a pipeline on n x F preprocessed features and return it.

    Raises:
        ConvergenceWarning: a regression did not converge.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        pipeline.fit(pd.DataFrame(features, columns=list(names)), codes)
    return pipeline


def predict_proba(
    pipeline: Pipeline, features: NDArray[np.float64], names: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return the pipeline's own n x C probabilities of n x F preprocessed features."""
    answers: NDArray[np.float64] = pipeline.predict_proba(pd.DataFrame(features, columns=list(names)))
    return answers
