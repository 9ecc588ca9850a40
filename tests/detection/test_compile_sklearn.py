from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from detection.compile_sklearn import compile_autoencoder, compile_isolation, compile_pipeline
from detection.compile_trees import floor_to_float32
from detection.compiled import CompiledModel
from detection.preprocess import clean
from detection.steps import Forest, Scale
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES
from helpers.flows import SHARED, needs_shared
from helpers.models import PREPROCESSING, fitted_pipeline, made_up_flows

TOLERANCE = 1e-12
FEATURES = 5

FOREST = ("rf", RandomForestClassifier(7, random_state=1))
EXTRA = ("et", ExtraTreesClassifier(9, max_depth=6, random_state=1))
TREE = ("dt", DecisionTreeClassifier(max_leaf_nodes=20, random_state=1))
LINEAR = ("lr", LogisticRegression(max_iter=2000))
SCALED_LINEAR = ("slr", make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)))
SCALED_FOREST = (
    "srf",
    make_pipeline(StandardScaler(with_mean=False), RandomForestClassifier(11, random_state=2)),
)


def stack(*models: tuple[str, Any], final: Any = None, **options: Any) -> StackingClassifier:
    final = LogisticRegression(max_iter=2000) if final is None else final
    return StackingClassifier(list(models), final, cv=3, **options)


def scaled(model: Any, **options: Any) -> Pipeline:
    return Pipeline([("scaler", StandardScaler(**options)), ("model", model)])


KINDS: dict[str, Any] = {
    "forest": FOREST[1],
    "extra trees": EXTRA[1],
    "tree": TREE[1],
    "scaled tree": scaled(TREE[1]),
    "only centred": scaled(FOREST[1], with_std=False),
    "scaler that does nothing": scaled(FOREST[1], with_mean=False, with_std=False),
    "scaled regression": scaled(LINEAR[1]),
    "product": scaled(stack(FOREST, LINEAR)),
    "regression first": scaled(stack(LINEAR, FOREST)),
    "one base": scaled(stack(FOREST)),
    "many bases": scaled(stack(TREE, FOREST, LINEAR, EXTRA, ("rf2", FOREST[1]))),
    "bases with scalers": stack(SCALED_LINEAR, FOREST, SCALED_FOREST),
    "bases with scalers behind one": scaled(stack(SCALED_FOREST, SCALED_LINEAR, TREE)),
    "passthrough": scaled(stack(FOREST, LINEAR, passthrough=True)),
    "passthrough of bases with scalers": scaled(stack(SCALED_FOREST, LINEAR, passthrough=True)),
    "final tree": scaled(stack(FOREST, LINEAR, final=TREE[1])),
    "final forest with passthrough": stack(SCALED_LINEAR, TREE, final=FOREST[1], passthrough=True),
    "final pipeline": scaled(stack(FOREST, TREE, final=SCALED_LINEAR[1])),
    "stack of stacks": scaled(stack(("inner", stack(TREE, LINEAR)), FOREST)),
    "dropped base": scaled(stack(("gone", "drop"), FOREST, LINEAR)),
}


def logarithms(*steps: Any) -> Pipeline:
    return make_pipeline(FunctionTransformer(np.log1p), *steps)


def boosted(**options: Any) -> Pipeline:
    model = HistGradientBoostingClassifier(max_iter=9, max_leaf_nodes=9, random_state=0, **options)
    return make_pipeline(FunctionTransformer(np.float32), model)


def machine() -> CalibratedClassifierCV:
    return CalibratedClassifierCV(LinearSVC(dual=False), ensemble=False, cv=3)


def network(**options: Any) -> MLPClassifier:
    return MLPClassifier((7, 4), solver="lbfgs", max_iter=30, random_state=0, **options)


KINDS |= {
    "boosted": boosted(),
    "boosted with few leaves": boosted(learning_rate=0.5, min_samples_leaf=100),
    "scaled boosted": make_pipeline(
        StandardScaler(), FunctionTransformer(np.float32), boosted(class_weight="balanced")[-1]
    ),
    "network": logarithms(StandardScaler(), network()),
    "network of tanh": logarithms(MinMaxScaler(), network(activation="tanh")),
    "network of logistic": scaled(network(activation="logistic")),
    "network without activations": logarithms(network(activation="identity")),
    "machine": logarithms(StandardScaler(), machine()),
    "scaled machine": scaled(machine()),
    "neighbours": logarithms(MinMaxScaler(), KNeighborsClassifier(4, weights="distance")),
    "neighbours that weigh the same": scaled(KNeighborsClassifier(3, algorithm="ball_tree")),
    "one neighbour": KNeighborsClassifier(1, algorithm="kd_tree"),
    "everything": stack(
        FOREST,
        ("mlp", logarithms(StandardScaler(), network())),
        ("hgb", boosted()),
        ("svm", scaled(machine())),
    ),
}
LABELS: dict[str, tuple[Any, ...]] = {
    "codes": (0, 5, 17),
    "two codes": (0, 17),
    "strings": ("BENIGN", "Bot", "DoS Hulk"),
    "two strings": ("attack", "benign"),
}


@lru_cache
def fitted(kind: str, labels: str) -> tuple[Any, CompiledModel]:
    codes = (0, 5, 17)[: len(LABELS[labels])]
    rows, numbers = made_up_flows(240, features=FEATURES, classes=codes, seed=2)
    # A fifth is labelled at random, so that trees grow.
    random = np.random.default_rng(0)
    noise = random.random(len(numbers)) < 0.2
    numbers[noise] = random.permutation(numbers[noise])
    names = np.array(LABELS[labels])[np.searchsorted(codes, numbers)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator = clone(KINDS[kind]).fit(rows, names)
    return estimator, compile_pipeline(estimator)


def assert_equal_answers(estimator: Any, model: CompiledModel, rows: NDArray[np.float64]) -> None:
    ours, theirs = model.probabilities(rows), estimator.predict_proba(rows)
    assert np.abs(ours - theirs).max() <= TOLERANCE
    assert (estimator.classes_[ours.argmax(axis=1)] == estimator.predict(rows)).all()


def rows_at_thresholds(model: CompiledModel, random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Rows whose values, scaled, are at a threshold or next to one, or are odd otherwise."""
    rows, _ = made_up_flows(count, features=FEATURES, seed=int(random.integers(1000)))
    forests = [step for step in model.steps if isinstance(step, Forest) and step.columns.max() < 2 * FEATURES]
    if forests:
        forest = forests[random.integers(len(forests))]
        inner = random.choice(np.flatnonzero(~forest.is_leaf), count)
        near = np.nextafter(
            forest.threshold[inner], random.choice([-np.inf, np.inf, 0.0], count).astype(np.float32)
        )
        value = np.where(random.random(count) < 0.5, forest.threshold[inner], near).astype(np.float64)
        column = forest.columns[forest.feature[inner]]
        first = model.steps[0]
        if column.max() >= FEATURES and isinstance(first, Scale):
            column = column - FEATURES
            value = value * first.scale[column] + first.mean[column]
        rows[np.arange(count), column] = value
    # Where only missing values go right the threshold is infinite.
    odd = (random.random(rows.shape) < 0.1) | (np.abs(rows) > np.finfo(np.float32).max)
    rows[odd] = random.choice([0.0, -0.0, 5e-324, -1e-310, 1e-40, 1e18, -0.5], int(odd.sum()))
    return rows


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(KINDS)), st.sampled_from(sorted(LABELS)), st.integers(0, 2**32), st.integers(1, 70)
)
def test_equals_scikit_learn(kind: str, labels: str, seed: int, count: int) -> None:
    estimator, model = fitted(kind, labels)
    assert_equal_answers(estimator, model, rows_at_thresholds(model, np.random.default_rng(seed), count))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_keeps_the_order_of_its_classes(kind: str) -> None:
    estimator, model = fitted(kind, "strings")
    assert (model.features, model.classes) == (FEATURES, 3)
    assert list(estimator.classes_) == sorted(LABELS["strings"])
    assert_equal_answers(estimator, model, rows_at_thresholds(model, np.random.default_rng(1), 300))


def imputing(*steps: Any, **options: Any) -> Pipeline:
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True, **options)
    return make_pipeline(FunctionTransformer(np.arcsinh), imputer, *steps)


IMPUTING: dict[str, Any] = {
    "regression": imputing(StandardScaler(), LINEAR[1]),
    "machine": imputing(StandardScaler(), machine()),
    "network": imputing(StandardScaler(), network()),
    "neighbours": imputing(MinMaxScaler(), KNeighborsClassifier(4, weights="distance", algorithm="kd_tree")),
    "imputed stack": stack(FOREST, ("slr", imputing(StandardScaler(), LINEAR[1])), EXTRA),
    "imputer without an indicator": make_pipeline(SimpleImputer(strategy="mean"), LINEAR[1]),
    "stack behind an imputer": imputing(stack(FOREST, LINEAR, passthrough=True)),
}
MISSING: dict[str, Any] = {
    **IMPUTING,
    "forest": FOREST[1],
    "extra trees": EXTRA[1],
    "scaled tree": scaled(TREE[1]),
    "stack": stack(FOREST, EXTRA, SCALED_FOREST),
}


@lru_cache
def fitted_on_nan(kind: str) -> tuple[Any, CompiledModel]:
    rows, codes = made_up_flows(300, features=FEATURES, seed=6)
    random = np.random.default_rng(3)
    # Values are missing more often where the code is 5: a reason to send NaN either way.
    rows[random.random(rows.shape) < np.where(codes == 5, 0.5, 0.1)[:, None]] = np.nan
    # The last is known of all, so that nothing tells where it is not.
    rows[:, -1] = 1.0
    codes = np.where(random.random(len(codes)) < 0.2, random.permutation(codes), codes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator = clone(MISSING[kind]).fit(rows, codes)
    return estimator, compile_pipeline(estimator)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(MISSING)), st.integers(0, 2**32), st.integers(1, 70), st.floats(0, 1))
def test_missing_values_go_where_scikit_learn_sends_them(
    kind: str, seed: int, count: int, share: float
) -> None:
    estimator, model = fitted_on_nan(kind)
    assert model.takes_nan
    random = np.random.default_rng(seed)
    rows = rows_at_thresholds(model, random, count)
    rows[random.random(rows.shape) < share] = random.choice([np.nan, -np.nan])
    assert_equal_answers(estimator, model, rows)


@pytest.mark.parametrize("kind", sorted(IMPUTING))
def test_an_imputed_kind_answers_rows_of_which_nothing_is_known(kind: str) -> None:
    estimator, model = fitted_on_nan(kind)
    assert_equal_answers(estimator, model, np.full((1, FEATURES), np.nan))


def test_a_column_without_any_value_is_imputed_and_told() -> None:
    rows, codes = made_up_flows(90, features=FEATURES)
    rows[:, 1] = np.nan
    estimator = imputing(StandardScaler(), LINEAR[1]).fit(rows, codes)
    known = rows.copy()
    known[::2, 1] = 3.0
    assert_equal_answers(estimator, compile_pipeline(estimator), np.vstack([rows, known]))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"missing_values": -1.0}, "SimpleImputer must replace NaN, replaces -1.0"),
        ({}, "must keep columns without a value: keep_empty_features=True"),
    ],
)
def test_an_imputer_of_other_values_or_fewer_columns_has_no_compiled_form(
    options: dict[str, Any], complaint: str
) -> None:
    rows, codes = made_up_flows(90, features=FEATURES)
    empty = rows.copy()
    empty[:, 1] = rows[:, 1] if options else np.nan
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Skipping features without any observed values")
        estimator = make_pipeline(SimpleImputer(**options), LINEAR[1]).fit(empty, codes)
    with pytest.raises(ValueError, match=complaint):
        compile_pipeline(estimator)


def test_missing_values_go_left_and_right() -> None:
    forest = fitted_on_nan("forest")[1].steps[0]
    assert isinstance(forest, Forest)
    inner = forest.missing_left[~forest.is_leaf]
    assert 0 < inner.sum() < inner.size


def test_what_reads_features_linearly_takes_no_nan() -> None:
    takes = {
        kind: fitted(kind, "codes")[1].takes_nan for kind in ("forest", "one base", "product", "passthrough")
    }
    assert takes == {"forest": True, "one base": True, "product": False, "passthrough": False}


@pytest.mark.parametrize("kind", ["forest", "extra trees", "tree", "many bases"])
def test_distributions_of_inner_nodes_are_scikit_learns(kind: str) -> None:
    estimator, model = fitted(kind, "codes")
    models = estimator["model"].estimators_ if kind == "many bases" else [estimator]
    forests = [step for step in model.steps if isinstance(step, Forest)]
    models = [made for made in models if not isinstance(made, LogisticRegression)]
    for forest, made in zip(forests, models, strict=True):
        trees = made.estimators_ if hasattr(made, "estimators_") else [made]
        values = np.concatenate([tree.tree_.value[:, 0] for tree in trees])
        ours = forest.distributions()
        # Best-first trees are put in another order.
        assert np.abs(np.sort(ours, axis=0) - np.sort(values, axis=0)).max() <= 1e-9
        assert np.abs(ours[forest.roots] - [tree.tree_.value[0, 0] for tree in trees]).max() <= 1e-9


@pytest.mark.parametrize("classes", [(0, 5, 17), (5, 0)])
def test_the_products_own_pipeline(classes: tuple[int, ...]) -> None:
    rows, _ = made_up_flows(2000, classes=classes, seed=5)
    pipeline = fitted_pipeline(classes=classes)
    assert_equal_answers(pipeline, compile_pipeline(pipeline), clean(rows, PREPROCESSING))


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(width=32, allow_nan=False))
def test_a_folded_threshold_answers_the_same_for_every_float32(threshold: float, value: float) -> None:
    folded = floor_to_float32(np.array([threshold]))[0]
    with np.errstate(over="ignore"):
        above = np.nextafter(folded, np.float32(np.inf))
    for near in (np.float32(value), folded, above):
        assert (near <= folded) == (np.float64(near) <= threshold)


def multi_output() -> Any:
    rows, codes = made_up_flows(90, features=4)
    return RandomForestClassifier(3).fit(rows, np.stack([codes, codes], axis=1))


@pytest.mark.parametrize(
    ("estimator", "complaint"),
    [
        (
            scaled(GaussianNB()),
            "Pipeline.model: GaussianNB has no compiled form; supported are RandomForest",
        ),
        (
            make_pipeline(RobustScaler(), TREE[1]),
            "Pipeline.robustscaler: RobustScaler has no compiled form before",
        ),
        (make_pipeline(MinMaxScaler(clip=True), TREE[1]), "MinMaxScaler with clip has no compiled form"),
        (
            make_pipeline(FunctionTransformer(np.sqrt), TREE[1]),
            "Pipeline.functiontransformer: FunctionTransformer of sqrt has no compiled form",
        ),
        (HistGradientBoostingClassifier(max_iter=2), "compares float64, compiled trees float32"),
        (CalibratedClassifierCV(LinearSVC(), cv=3), "must be of method sigmoid and ensemble=False"),
        (CalibratedClassifierCV(LinearSVC(), method="isotonic", ensemble=False), "must be of method sigmoid"),
        (
            CalibratedClassifierCV(GaussianNB(), ensemble=False),
            "GaussianNB has no compiled form under a calibration",
        ),
        (KNeighborsClassifier(metric="manhattan"), "must weigh uniformly or by Euclid's distance"),
        (scaled(stack(FOREST, ("nb", GaussianNB()))), "Pipeline.model.nb: GaussianNB has no compiled form"),
        (scaled(stack(FOREST, final=GaussianNB())), "Pipeline.model.final_estimator: GaussianNB"),
        (
            scaled(stack(FOREST, stack_method="predict")),
            "Pipeline.model.rf: must be stacked by predict_proba",
        ),
        (
            DecisionTreeClassifier(monotonic_cst=[1, 0, 0, 0], random_state=0),
            "monotonic_cst has no compiled form",
        ),
    ],
)
def test_refuses_what_has_no_compiled_form(estimator: Any, complaint: str) -> None:
    rows, codes = made_up_flows(90, features=4, classes=(0, 5))
    codes = np.random.default_rng(0).permutation(codes)
    with pytest.raises(ValueError, match=complaint):
        compile_pipeline(clone(estimator).fit(rows, codes))


def test_refuses_other_classifiers() -> None:
    with pytest.raises(ValueError, match="must know the 2 classes of the whole"):
        compile_pipeline(multi_output())
    with pytest.raises(NotFittedError):
        compile_pipeline(RandomForestClassifier())


def benign_rows(count: int = 200, seed: int = 4) -> NDArray[np.float64]:
    return made_up_flows(count, features=FEATURES, classes=(0, 5), seed=seed)[0]


@pytest.mark.parametrize("samples", [2, 3, 256])
@pytest.mark.parametrize("before", [[], [("log", FunctionTransformer(np.log1p))], [("s", StandardScaler())]])
def test_an_isolation_forest_answers_its_anomaly_score(before: list[Any], samples: int) -> None:
    rows, others = benign_rows(300), benign_rows(seed=8) * 7
    forest = IsolationForest(n_estimators=20, max_samples=samples, random_state=0)
    fitted = Pipeline([*before, ("forest", forest)]).fit(rows)
    for each in (rows, others, np.zeros((3, FEATURES))):
        ours, score = compile_isolation(fitted).probabilities(each), -fitted.score_samples(each)
        assert np.abs(ours - np.column_stack([1 - score, score])).max() <= TOLERANCE


def test_an_isolation_forest_of_parts_of_the_features_has_no_compiled_form() -> None:
    forest = IsolationForest(n_estimators=3, max_features=0.5, random_state=0)
    with pytest.raises(ValueError, match="max_features must be 1"):
        compile_isolation(Pipeline([("forest", forest)]).fit(benign_rows()))


@pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_an_autoencoder_answers_its_error_as_odds(scaler: Any, activation: str) -> None:
    rows = benign_rows()
    before = logarithms(clone(scaler)).fit(rows)
    scaled_rows = before.transform(rows)
    network = MLPRegressor(
        hidden_layer_sizes=(6, 2, 6), activation=activation, solver="lbfgs", max_iter=20, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(scaled_rows, scaled_rows)
    model = compile_autoencoder(Pipeline([*before.steps, ("network", network)]), reference=0.3)
    others = np.vstack([benign_rows(seed=9), np.zeros((1, FEATURES)), np.full((1, FEATURES), 1e18)])
    scaled_rows = before.transform(others)
    error = np.square(scaled_rows - network.predict(scaled_rows)).mean(axis=1)
    p = error / (error + 0.3)
    assert np.abs(model.probabilities(others) - np.column_stack([1 - p, p])).max() <= TOLERANCE
    assert not model.takes_nan


def test_a_machine_that_knows_none_of_the_classes_gives_all_the_same() -> None:
    estimator, model = fitted("scaled machine", "codes")
    far = np.full((1, FEATURES), -1e18)
    assert (estimator.predict_proba(far) == model.probabilities(far)).all()


def test_a_stored_row_is_its_own_nearest() -> None:
    estimator, model = fitted("neighbours", "codes")
    rows, _ = made_up_flows(240, features=FEATURES, seed=2)
    assert_equal_answers(estimator, model, rows)
    assert model.probabilities(rows).max(axis=1).min() > 1 - TOLERANCE


@lru_cache
def real_flows() -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    table = read_parquet(SHARED / "data" / "cic-ids2017-improved" / "flows.parquet")
    return clean(table.select(COMMON_NAMES), PREPROCESSING), table.extras["label"].astype(str)


REAL: dict[str, Any] = {
    "tree": DecisionTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(40, random_state=0),
    "extra trees": ExtraTreesClassifier(40, random_state=0),
    "stack": scaled(
        stack(
            ("rf", RandomForestClassifier(40, random_state=0)),
            ("et", ExtraTreesClassifier(20, random_state=0)),
            ("lr", LogisticRegression(tol=0.1)),
            final=LogisticRegression(tol=0.1),
        )
    ),
    "boosted": boosted(),
    "network": logarithms(StandardScaler(), MLPClassifier((20,), max_iter=400, tol=0.01, random_state=0)),
    "machine": logarithms(StandardScaler(), machine()),
}


@needs_shared
@pytest.mark.parametrize("kind", sorted(REAL))
def test_equals_scikit_learn_on_50_000_real_flows(kind: str) -> None:
    rows, labels = real_flows()
    assert len(rows) >= 50_000
    sample = np.random.default_rng(0).permutation(len(rows))[:6000]
    names, counts = np.unique(labels[sample], return_counts=True)
    sample = sample[np.isin(labels[sample], names[counts >= 20])]
    estimator = clone(REAL[kind]).fit(rows[sample], labels[sample])
    assert len(estimator.classes_) >= 10
    assert_equal_answers(estimator, compile_pipeline(estimator), rows)


@needs_shared
def test_the_starter_equals_scikit_learn_on_real_flows() -> None:
    import pandas as pd
    import skops.io

    from detection.package import ESTIMATOR, MODEL
    from detection.registry import STARTER
    from training.flavour import TRUSTED_TYPES

    pipeline = skops.io.load(STARTER / ESTIMATOR / "model.skops", trusted=list(TRUSTED_TYPES))
    rows, _ = real_flows()
    ours = CompiledModel.load(STARTER / MODEL).probabilities(rows)
    frame = pd.DataFrame(rows, columns=list(COMMON_NAMES))
    assert np.abs(ours - pipeline.predict_proba(frame)).max() <= TOLERANCE
    assert (pipeline.classes_[ours.argmax(axis=1)] == pipeline.predict(frame)).all()
