from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from detection.compile_sklearn import compile_pipeline
from flows.labels import ATTACK
from flows.schema import COMMON_NAMES
from helpers.models import CLASSES, made_up_flows
from training.estimators import (
    DEFAULT,
    ESTIMATORS,
    Kind,
    binary,
    evenly,
    fit,
    halves,
    kind_named,
    predict_proba,
)

QUICK = {
    **{
        "stacked": {"trees": 5},
        "stacked-five": {"trees": 5, "epochs": 20},
        "random-forest": {"trees": 5},
        "extra-trees": {"trees": 5},
        "gated": {"gates": 2, "rounds": 10, "trees": 5},
    },
    **{"gradient-boosting": {"rounds": 5}, "catboost": {"iterations": 5}, "mlp": {"epochs": 20}},
    **{"isolation-forest": {"trees": 5}, "autoencoder": {"epochs": 20}},
}
KINDS = pytest.mark.parametrize("kind", ESTIMATORS.values(), ids=ESTIMATORS)


def params_of(kind: Kind) -> dict[str, int]:
    if kind.name == "catboost":
        pytest.importorskip("catboost", reason="CatBoost, an extra, is not installed")
    return QUICK.get(kind.name, {})


@KINDS
def test_the_same_seed_makes_the_same_model(kind: Kind) -> None:
    rows, codes = made_up_flows(150)
    params = params_of(kind)
    one, other = (fit(kind, rows, codes, COMMON_NAMES, seed=3, params=params) for _ in range(2))
    assert (predict_proba(one, rows, COMMON_NAMES) == predict_proba(other, rows, COMMON_NAMES)).all()


@KINDS
def test_a_kind_tells_benign_flows_from_attacks(kind: Kind) -> None:
    rows, codes = made_up_flows(300)
    fitted = fit(kind, rows, codes, COMMON_NAMES, params=params_of(kind))
    assert fitted.classes_.tolist() == [0, ATTACK] if kind.novelty else list(CLASSES)
    p = 1.0 - predict_proba(fitted, rows, COMMON_NAMES)[:, 0]
    # Whatever the threshold, attacks are ahead of benign flows.
    assert np.mean(p[codes != 0][:, None] > p[codes == 0]) > 0.9
    if not kind.novelty:
        labels = fitted.classes_[predict_proba(fitted, rows, COMMON_NAMES).argmax(axis=1)]
        assert np.mean(labels == codes) > 0.9


def test_of_many_flows_a_kind_learns_from_some_of_all_classes() -> None:
    rows, codes = made_up_flows(300)
    whole, part = (replace(kind_named("random-forest"), learns_from=most) for most in (300, 30))
    few = evenly(codes, 30, 3)
    fits = [
        fit(kind, *given, COMMON_NAMES, seed=3, params={"trees": 5})
        for kind, given in ((whole, (rows, codes)), (part, (rows, codes)), (whole, (rows[few], codes[few])))
    ]
    one, other, same = (predict_proba(each, rows, COMMON_NAMES) for each in fits)
    assert (other == same).all()
    assert (one != other).any()


@KINDS
def test_a_kind_learns_two_classes_too(kind: Kind) -> None:
    rows, codes = made_up_flows(150)
    fitted = fit(kind, rows, binary(codes), COMMON_NAMES, params=params_of(kind))
    answers = predict_proba(fitted, rows, COMMON_NAMES)
    assert answers.shape == (150, 2)
    assert np.abs(answers.sum(axis=1) - 1.0).max() < 1e-9


@KINDS
def test_what_a_search_varies_are_parameters_of_the_kind(kind: Kind) -> None:
    params_of(kind)
    for name, values in kind.space.items():
        value = values.choices[0] if isinstance(values, CategoricalDistribution) else values.low
        assert kind.made(0, {name: value}) is not None


def test_a_novelty_detector_sees_benign_flows_only() -> None:
    rows, codes = made_up_flows(150)
    for kind in (kind for kind in ESTIMATORS.values() if kind.novelty):
        whole = fit(kind, rows, codes, COMMON_NAMES, params=params_of(kind))
        benign = fit(kind, rows[codes == 0], codes[codes == 0], COMMON_NAMES, params=params_of(kind))
        assert (predict_proba(whole, rows, COMMON_NAMES) == predict_proba(benign, rows, COMMON_NAMES)).all()
        assert set(kind.codes(codes).tolist()) == {0, ATTACK}


def test_without_benign_flows_there_is_no_novelty() -> None:
    rows, codes = made_up_flows(30, classes=(5, 17))
    with pytest.raises(ValueError, match="there are none"):
        fit(ESTIMATORS["isolation-forest"], rows, codes, COMMON_NAMES)


def test_serving_can_compile_the_default() -> None:
    rows, codes = made_up_flows(150)
    pipeline = fit(kind_named(DEFAULT), rows, codes, COMMON_NAMES, params={"trees": 5})
    ours = compile_pipeline(pipeline).probabilities(rows)
    assert np.abs(ours - predict_proba(pipeline, rows, COMMON_NAMES)).max() <= 1e-12


def test_a_regression_that_does_not_converge_is_an_error_unless_that_was_wanted() -> None:
    rows, codes = made_up_flows(150)
    kind = Kind("regression", "", lambda seed: LogisticRegression(max_iter=1))
    with pytest.raises(ConvergenceWarning):
        fit(kind, rows, codes, COMMON_NAMES)
    fit(replace(kind, converges=False), rows, codes, COMMON_NAMES)


def test_unknown_names_are_told_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no estimator boost; there are stacked, stacked-five"):
        kind_named("boost")
    with pytest.raises(ValueError, match="stacked has no parameter tres; its parameters are trees, depth"):
        kind_named("stacked").made(0, {"tres": 3})


def test_half_of_the_rows_are_benign_and_of_all_that_made_them_there_are_as_many() -> None:
    codes = np.repeat(np.array([0, 5, 17], np.int32), [1000, 100, 200])
    made = np.concatenate([np.arange(1000) % 10 // 9, np.full(100, 2), np.full(200, 3)]).astype(np.int32)
    chosen = halves(codes, made, 160, seed=1)
    assert np.bincount(made[chosen]).tolist() == [40, 40, 40, 40]
    assert (chosen == halves(codes, made, 160, seed=1)).all()
    few = halves(codes, made, 800, seed=1)
    assert np.bincount(codes[few])[[0, 5, 17]].tolist() == [500, 100, 200]


def test_rows_are_taken_evenly_of_all_classes() -> None:
    codes = np.repeat(np.array([0, 5, 17], np.int32), [1000, 10, 200])
    chosen = evenly(codes, 210, seed=1)
    assert np.bincount(codes[chosen])[[0, 5, 17]].tolist() == [100, 10, 100]
    assert (np.diff(chosen) > 0).all()
    assert (chosen == evenly(codes, 210, seed=1)).all()
    assert len(evenly(codes, 5000, seed=1)) == len(codes)
