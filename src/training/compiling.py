"""What serves a fitted estimator of any kind: plain arrays, or CatBoost's own file."""

from __future__ import annotations

from typing import Any

from detection.catboost_model import CatBoostModel
from detection.compile_sklearn import (
    compile_autoencoder,
    compile_isolation,
    compile_network,
    compile_pipeline,
)
from detection.compiled import CompiledModel
from training.deep import Convolution
from training.novelty import AutoencoderNovelty, IsolationNovelty


def compiled(estimator: Any) -> CompiledModel | CatBoostModel:
    """Return what serves an estimator that `training.estimators.fit` made, with the same answers.

    Raises:
        ValueError: a part of it has no compiled form; names it.
    """
    if isinstance(estimator, IsolationNovelty):
        return compile_isolation(estimator.detector_)
    if isinstance(estimator, AutoencoderNovelty):
        return compile_autoencoder(estimator.detector_, estimator.reference_)
    if isinstance(estimator, Convolution):
        return compile_network(estimator.mean_, estimator.scale_, estimator.layers())
    if type(estimator).__name__ == "CatBoostClassifier":
        return CatBoostModel(estimator)
    return compile_pipeline(estimator)
