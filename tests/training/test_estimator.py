from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from detection.compile_sklearn import compile_pipeline
from flows.schema import COMMON_NAMES
from helpers.models import made_up_flows
from training.estimator import fit, predict_proba, stacked


def test_the_same_seed_makes_the_same_model() -> None:
    rows, codes = made_up_flows(150)
    one, other = (fit(stacked(trees=5), rows, codes, COMMON_NAMES) for _ in range(2))
    assert (predict_proba(one, rows, COMMON_NAMES) == predict_proba(other, rows, COMMON_NAMES)).all()
    assert np.mean(one.classes_[predict_proba(one, rows, COMMON_NAMES).argmax(axis=1)] == codes) > 0.9


def test_serving_can_compile_it() -> None:
    rows, codes = made_up_flows(150)
    pipeline = fit(stacked(trees=5), rows, codes, COMMON_NAMES)
    ours = compile_pipeline(pipeline).probabilities(rows)
    assert np.abs(ours - predict_proba(pipeline, rows, COMMON_NAMES)).max() <= 1e-12


def test_a_regression_that_does_not_converge_is_an_error() -> None:
    rows, codes = made_up_flows(150)
    pipeline = stacked(trees=2).set_params(stack__lr__max_iter=1)
    with pytest.raises(ConvergenceWarning):
        fit(pipeline, rows, codes, COMMON_NAMES)
