from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from context.features import CONTEXT_NAMES
from detection.compile_sklearn import compile_pipeline
from detection.imputation import Fill, Missing
from detection.layers import Asinh
from flows.schema import COMMON_NAMES
from helpers.models import made_up_flows
from training import makes
from training.estimators import ESTIMATORS, fit, predict_proba
from training.imputation import imputing, may_lack

NAMES = (*COMMON_NAMES[:-1], CONTEXT_NAMES[0])


def test_context_and_nan_may_lack() -> None:
    rows = np.ones((2, 2))
    assert not may_lack(rows, ("a", "b"))
    assert may_lack(rows, ("a", CONTEXT_NAMES[0]))
    rows[1, 1] = np.nan
    assert may_lack(rows, ("a", "b"))


@pytest.mark.parametrize("make", [makes.linear_svm, makes.mlp, makes.knn])
def test_an_imputer_stands_behind_logarithms_of_either_sign(make: Any) -> None:
    before, after = make(1), imputing(make(1))
    assert [name for name, _ in after.steps] == ["log", "imputer", *(name for name, _ in before.steps[1:])]
    assert after["log"].func is np.arcsinh
    assert isinstance(after["imputer"], SimpleImputer)
    assert before["log"].func is np.log1p


def test_in_a_stack_what_reads_logarithms_imputes_and_trees_do_not() -> None:
    parts = dict(imputing(makes.stacked_five(1))["stack"].estimators)
    pipelines = {name: part for name, part in parts.items() if isinstance(part, Pipeline)}
    imputed = {name for name, part in pipelines.items() if "imputer" in part.named_steps}
    assert imputed == {"lr", "mlp"}
    assert [type(part).__name__ for part in parts.values()].count("ExtraTreesClassifier") == 2


def test_trees_stay_as_they_are() -> None:
    assert list(imputing(makes.gradient_boosting(1)).named_steps) == ["float32", "hgb"]
    assert list(imputing(makes.random_forest(1)).named_steps) == ["rf"]


def test_only_models_of_flows_that_may_lack_features_have_the_steps() -> None:
    rows, codes = made_up_flows(150)
    gaps = rows.copy()
    gaps[::3, -1] = np.nan
    kind, params = ESTIMATORS["stacked"], {"trees": 2, "folds": 2}
    found = {}
    for case, (given, names) in {
        "plain": (rows, COMMON_NAMES),
        "context": (rows, NAMES),
        "gaps": (gaps, NAMES),
    }.items():
        model = compile_pipeline(fit(kind, given, codes, names, params=params))
        kinds = Counter(type(step) for step in model.steps)
        found[case] = (model.takes_nan, *(kinds[each] for each in (Asinh, Fill, Missing)))
    assert found == {"plain": (False, 0, 0, 0), "context": (True, 1, 1, 0), "gaps": (True, 1, 1, 1)}


def test_equal_rows_with_gaps_are_stored_once() -> None:
    rows, codes = made_up_flows(30)
    rows[::3, -1] = np.nan
    twice = np.vstack([rows, rows]), np.concatenate([codes, codes])
    fitted = fit(ESTIMATORS["knn"], *twice, COMMON_NAMES, params={"neighbours": 1})
    assert len(fitted["knn"].classes_) == 3
    assert fitted["knn"].n_samples_fit_ == 30


@pytest.mark.parametrize("name", ["isolation-forest", "autoencoder"])
def test_to_lack_what_benign_flows_lacked_is_not_new(name: str) -> None:
    rows, codes = made_up_flows(200, classes=(0,))
    rows[::2, -1] = np.nan
    params = {"trees": 20} if name == "isolation-forest" else {"epochs": 30}
    detector = fit(ESTIMATORS[name], rows, codes, COMMON_NAMES, params=params)
    p = predict_proba(detector, rows, COMMON_NAMES)[:, 1]
    assert np.median(p[::2]) < np.quantile(p[1::2], 0.95)
    assert np.median(p[1::2]) < np.quantile(p[::2], 0.95)
    assert predict_proba(detector, rows[:5] * 1e6, COMMON_NAMES)[:, 1].min() > np.quantile(p, 0.95)
