from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from detection.compile_sklearn import compile_pipeline
from detection.compiled import CompiledModel
from detection.explain import Explainer, through_softmax
from helpers.explanations import oracle_terms
from helpers.models import made_up_flows

FEATURES = 6
MEDIANS = np.full(FEATURES, 4.5)
TREE = DecisionTreeClassifier(max_depth=6, random_state=1)
FOREST = RandomForestClassifier(9, random_state=1)
EXTRA = ExtraTreesClassifier(7, max_depth=5, random_state=2)
LINEAR = LogisticRegression(max_iter=2000)


def stack(*models: Any, final: Any = LINEAR, **options: Any) -> StackingClassifier:
    return StackingClassifier([(str(i), model) for i, model in enumerate(models)], final, cv=3, **options)


TREES = {"tree": TREE, "forest": FOREST, "extra trees": EXTRA, "scaled forest": (StandardScaler(), FOREST)}
OTHERS = {
    "linear": LINEAR,
    "scaled linear": (StandardScaler(), LINEAR),
    "forest and linear": (StandardScaler(), stack(FOREST, LINEAR)),
    "without a scaler": stack(LINEAR, TREE, EXTRA),
    "a scaler inside": stack(FOREST, make_pipeline(StandardScaler(), LINEAR)),
    "trees only": stack(TREE, EXTRA),
    "features too": (StandardScaler(), stack(FOREST, LINEAR, passthrough=True)),
}
DEEP = {
    "boosted": (FunctionTransformer(np.float32), HistGradientBoostingClassifier(max_iter=8, random_state=0)),
    "network": (StandardScaler(), MLPClassifier((5, 3), solver="lbfgs", max_iter=400, random_state=0)),
    "machine": (StandardScaler(), CalibratedClassifierCV(LinearSVC(dual=False), ensemble=False, cv=3)),
    "a scale from 0 to 1": (MinMaxScaler(), LINEAR),
    "logarithms": (FunctionTransformer(np.log1p), LINEAR),
    "a scaled final": stack(FOREST, TREE, final=make_pipeline(StandardScaler(), LINEAR)),
    "a stack of stacks": (StandardScaler(), stack(stack(FOREST, LINEAR), TREE)),
    "a final forest": (StandardScaler(), stack(FOREST, LINEAR, final=FOREST)),
}


def flows(rows: int, classes: tuple[int, ...] = (0, 5, 17)) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    features, codes = made_up_flows(rows, features=FEATURES, classes=classes)
    return np.log1p(features), codes


@lru_cache
def fitted(kind: str, classes: tuple[int, ...] = (0, 5, 17)) -> Any:
    model = (TREES | OTHERS | DEEP)[kind]
    rows, codes = flows(240, classes)
    codes = np.where(np.random.default_rng(0).random(len(codes)) < 0.15, codes[::-1], codes)
    estimator = Pipeline([("scaler", model[0]), ("model", model[1])]) if isinstance(model, tuple) else model
    return clone(estimator).fit(rows, codes)


@lru_cache
def compiled(kind: str, classes: tuple[int, ...] = (0, 5, 17)) -> CompiledModel:
    return compile_pipeline(fitted(kind, classes))


@lru_cache
def explainer(kind: str, classes: tuple[int, ...] = (0, 5, 17)) -> Explainer:
    return Explainer(compiled(kind, classes), MEDIANS)


def missing(kind: str, row: NDArray[np.float64], classes: tuple[int, ...] = (0, 5, 17)) -> float:
    """How far base and contributions are from the model's probabilities, at most."""
    base, moved = explainer(kind, classes).explain(row)
    assert moved.shape == (FEATURES, len(classes))
    answer = compiled(kind, classes).probabilities(row[None])[0]
    return float(np.abs(base + moved.sum(axis=0) - answer).max())


ROWS = st.lists(
    st.one_of(st.floats(0, 15), st.floats(0, 1e18), st.sampled_from([0.0, 4.5, 1e-300, 1e18])),
    min_size=FEATURES,
    max_size=FEATURES,
).map(lambda values: np.array(values, np.float64))


def test_a_tiny_trees_contributions_are_known() -> None:
    # One attack in five; all of it where the first feature is 1, half of that where the second is 0.
    rows = np.array([[0, 0], [0, 1], [0, 1], [1, 0], [1, 1]], np.float64)
    tree = DecisionTreeClassifier(random_state=0).fit(rows, [0, 0, 0, 0, 5])
    tiny = Explainer(compile_pipeline(tree), np.zeros(2))
    for row, first, second in [((1, 1), 0.3, 0.5), ((1, 0), 0.3, -0.5), ((0, 1), -0.2, 0.0)]:
        base, moved = tiny.explain(np.array(row, np.float64))
        assert base.tolist() == [0.8, 0.2]
        np.testing.assert_allclose(moved[:, 1], [first, second], atol=1e-15)
        np.testing.assert_allclose(moved[:, 0], [-first, -second], atol=1e-15)


@pytest.mark.parametrize("classes", [(0, 5, 17), (0, 17)])
@pytest.mark.parametrize("kind", [*TREES, *OTHERS])
def test_equals_the_oracle(kind: str, classes: tuple[int, ...]) -> None:
    for row in flows(5, classes)[0]:
        base, moved = explainer(kind, classes).explain(row)
        oracle_base, oracle_moved = oracle_terms(fitted(kind, classes), row, MEDIANS)
        np.testing.assert_allclose(base, oracle_base, atol=1e-9)
        np.testing.assert_allclose(moved, oracle_moved, atol=1e-8)


@settings(deadline=None)
@given(st.sampled_from(list(TREES)), ROWS)
def test_trees_contributions_add_up(kind: str, row: NDArray[np.float64]) -> None:
    assert missing(kind, row) <= 1e-9


@settings(deadline=None)
@given(st.sampled_from([*OTHERS, *DEEP]), st.sampled_from([(0, 5, 17), (0, 17)]), ROWS)
def test_any_models_contributions_add_up(
    kind: str, classes: tuple[int, ...], row: NDArray[np.float64]
) -> None:
    assert missing(kind, row, classes) <= 1e-6


def test_missing_values_go_the_way_the_tree_sends_them() -> None:
    rows, codes = flows(240)
    rows[::7, 0] = np.nan
    forest = RandomForestClassifier(5, random_state=1).fit(rows, codes)
    row = flows(1)[0][0]
    row[0] = np.nan
    base, moved = Explainer(compile_pipeline(forest), MEDIANS).explain(row)
    oracle_base, oracle_moved = oracle_terms(forest, row, MEDIANS)
    np.testing.assert_allclose(base, oracle_base, atol=1e-9)
    np.testing.assert_allclose(moved, oracle_moved, atol=1e-9)


def rows_with_gaps(count: int) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Flows that often lack the first three features; all others have the rest."""
    rows, codes = flows(count)
    gaps = np.random.default_rng(4).random((count, 3)) < 0.4
    rows[:, :3][gaps] = np.nan
    return rows, codes


def imputer() -> SimpleImputer:
    return SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)


def test_what_is_put_in_place_of_nan_and_what_tells_so_are_its_features_doing() -> None:
    rows, codes = rows_with_gaps(240)
    model = make_pipeline(imputer(), LINEAR).fit(rows, codes)
    ours = Explainer(compile_pipeline(model), MEDIANS)
    for row in [*rows[:10], np.where(np.arange(FEATURES) == 5, np.nan, rows[1])]:
        base, moved = ours.explain(row)
        oracle_base, oracle_moved = oracle_terms(model, row, MEDIANS)
        np.testing.assert_allclose(base, oracle_base, atol=1e-9)
        np.testing.assert_allclose(moved, oracle_moved, atol=1e-8)
    alone = np.where(np.arange(FEATURES) == 1, np.nan, MEDIANS)
    moved = ours.explain(alone)[1]
    assert np.abs(moved[1]).max() > 0
    assert not np.delete(moved, 1, axis=0).any()


@pytest.mark.parametrize("before", [FunctionTransformer(np.arcsinh), FunctionTransformer(np.log1p)])
def test_contributions_of_what_is_not_known_add_up(before: FunctionTransformer) -> None:
    rows, codes = rows_with_gaps(240)
    linear = make_pipeline(before, imputer(), StandardScaler(), LINEAR)
    network = make_pipeline(StandardScaler(), imputer(), DEEP["network"][1])
    model = stack(FOREST, linear, network).fit(rows, codes)
    made = compile_pipeline(model)
    ours = Explainer(made, np.full(FEATURES, np.nan))
    for row in [*rows[:20], np.full(FEATURES, np.nan)]:
        base, moved = ours.explain(row)
        assert np.isfinite(moved).all()
        np.testing.assert_allclose(base + moved.sum(axis=0), made.probabilities(row[None])[0], atol=1e-6)


def test_the_sign_is_that_of_the_models_answer() -> None:
    regression = LogisticRegression().fit(np.array([[-1.0, 3.0], [1.0, 3.0]]), [0, 5])
    ours = Explainer(compile_pipeline(regression), np.zeros(2))
    levels = [-2.0, -0.5, 0.0, 0.5, 2.0]
    rows = np.array([[level, 3.0] for level in levels])
    contributions = [ours.explain(row)[1][0, 1] for row in rows]
    attack = compile_pipeline(regression).probabilities(rows)[:, 1].tolist()
    assert contributions == sorted(contributions)
    assert attack == sorted(attack)
    np.testing.assert_array_equal(np.sign(contributions), np.sign(levels))


def test_only_what_the_model_reads_contributes() -> None:
    rows, codes = flows(240)
    rows[:, 2] = 1.0
    model = stack(FOREST, make_pipeline(StandardScaler(), LINEAR)).fit(rows, codes)
    _, moved = Explainer(compile_pipeline(model), MEDIANS).explain(rows[0] + np.eye(FEATURES)[2])
    assert not moved[2].any()
    assert moved[[0, 1, 3, 4, 5]].any(axis=1).all()


LOGITS = st.floats(-1e3, 1e3)


@settings(deadline=None)
@given(st.lists(st.lists(LOGITS, min_size=4, max_size=4), min_size=2, max_size=5))
def test_a_softmax_is_divided_completely(numbers: list[list[float]]) -> None:
    start, *terms = np.array(numbers)
    base, moved = through_softmax(start, np.array(terms))
    last = start + np.sum(terms, axis=0)
    powers = np.exp(last - last.max())
    np.testing.assert_allclose(base + moved.sum(axis=0), powers / powers.sum(), atol=1e-12)
    # Adding the same to all logits changes nothing.
    assert np.abs(moved.sum(axis=1)).max() <= 1e-9


def test_two_classes_share_the_change_in_proportion_to_their_terms() -> None:
    terms = np.array([[0.0, 600.0], [0.0, -200.0], [0.0, 0.0]])
    base, moved = through_softmax(np.array([0.0, -300.0]), terms)
    assert base[1] <= 1e-100
    np.testing.assert_allclose(moved[:, 1], [1.5, -0.5, 0.0], atol=1e-9)
