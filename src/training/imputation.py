"""What is not known, NaN, for the parts of models that multiply and compare: imputed, and told.

Trees of classifiers read NaN as it is. What reads logarithms, such as linear parts, gets the median of the
training flows in its place, and for each feature that some training flow lacks a column that is 1 where it
was.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from context.features import CONTEXT_NAMES


def may_lack(features: NDArray[np.float64], names: Collection[str]) -> bool:
    """Return whether flows like these n x F may have features that are not known: some lack, or context."""
    return not set(CONTEXT_NAMES).isdisjoint(names) or bool(np.isnan(features).any())


def imputing(estimator: Any) -> Any:
    """Return an unfitted estimator each of whose parts that reads logarithms imputes what is not known.

    Its logarithms are asinh, since context has signs: what a host sent and received is a ratio from -1 to 1.
    """
    if isinstance(estimator, StackingClassifier):
        return estimator.set_params(
            estimators=[(name, imputing(part)) for name, part in estimator.estimators]
        )
    if not isinstance(estimator, Pipeline):
        return estimator
    steps: list[tuple[str, Any]] = []
    for name, part in estimator.steps:
        if isinstance(part, FunctionTransformer) and part.func is np.log1p:
            imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
            steps += [(name, FunctionTransformer(np.arcsinh)), ("imputer", imputer)]
        else:
            steps.append((name, imputing(part)))
    return Pipeline(steps)
