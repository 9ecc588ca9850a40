from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from detection.compile_sklearn import compile_pipeline
from detection.preprocess import clean
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES
from helpers.flows import SHARED, needs_shared
from helpers.models import PREPROCESSING, fitted_pipeline, made_up_flows

TOLERANCE = 1e-12


def assert_equal_answers(pipeline: Pipeline, rows: NDArray[np.float64]) -> None:
    ours, theirs = compile_pipeline(pipeline).probabilities(rows), pipeline.predict_proba(rows)
    assert np.abs(ours - theirs).max() <= TOLERANCE
    assert (pipeline.classes_[ours.argmax(axis=1)] == pipeline.predict(rows)).all()


def stacked(*models: tuple[str, Any], final: Any = None, **options: Any) -> Pipeline:
    stack = StackingClassifier(list(models), final or LogisticRegression(max_iter=2000), cv=3, **options)
    return Pipeline([("scaler", StandardScaler()), ("stack", stack)])


FOREST = ("rf", RandomForestClassifier(7, random_state=1))
LINEAR = ("lr", LogisticRegression(max_iter=2000))


@pytest.mark.parametrize("classes", [(0, 5, 17), (0, 17), (5, 0)])
def test_equals_scikit_learn(classes: tuple[int, ...]) -> None:
    rows, _ = made_up_flows(2000, classes=classes, seed=5)
    assert_equal_answers(fitted_pipeline(classes=classes), clean(rows, PREPROCESSING))


def test_equals_scikit_learn_on_thresholds_and_extremes() -> None:
    pipeline = fitted_pipeline()
    model, scaler = compile_pipeline(pipeline), pipeline[0]
    inner = model.nodes[model.nodes["feature"] >= 0]
    rows = np.tile(scaler.mean_, (len(inner), 1))
    # Values whose float32 is at, or next to, a threshold.
    columns = inner["feature"]
    rows[np.arange(len(inner)), columns] += inner["threshold"] * scaler.scale_[columns]
    extremes = [np.full(76, value) for value in (0.0, 1e-300, 1e18)]
    assert_equal_answers(pipeline, np.vstack([rows, extremes]))


@pytest.mark.parametrize("order", [[FOREST, LINEAR], [LINEAR, FOREST]])
@pytest.mark.parametrize("classes", [(0, 5, 17), (0, 5)])
def test_order_of_the_base_models_does_not_matter(order: list[Any], classes: tuple[int, ...]) -> None:
    rows, codes = made_up_flows(300, features=5, classes=classes)
    assert_equal_answers(stacked(*order).fit(rows, codes), rows)


def test_trees_grown_best_first() -> None:
    rows, codes = made_up_flows(600, features=5)
    codes = codes[np.random.default_rng(0).permutation(len(codes))]
    forest = ("rf", RandomForestClassifier(5, max_leaf_nodes=40, random_state=1))
    assert_equal_answers(stacked(forest, LINEAR).fit(rows, codes), rows)


@pytest.mark.parametrize(
    ("pipeline", "complaint"),
    [
        (Pipeline([("stack", stacked(FOREST, LINEAR)[-1])]), "is StackingClassifier"),
        (Pipeline([("s", MinMaxScaler()), ("stack", stacked(FOREST, LINEAR)[-1])]), "is MinMaxScaler"),
        (
            Pipeline([("s", StandardScaler(with_mean=False)), ("stack", stacked(FOREST, LINEAR)[-1])]),
            "must centre and scale",
        ),
        (stacked(FOREST, LINEAR, passthrough=True), "without passthrough"),
        (stacked(FOREST, LINEAR, stack_method="predict"), "must stack predict_proba"),
        (stacked(FOREST), "stacks RandomForestClassifier"),
        (stacked(FOREST, ("rf2", FOREST[1])), "stacks RandomForestClassifier, RandomForestClassifier"),
        (stacked(FOREST, LINEAR, final=DecisionTreeClassifier()), "final estimator"),
    ],
)
def test_refuses_other_pipelines(pipeline: Pipeline, complaint: str) -> None:
    rows, codes = made_up_flows(90, features=4)
    with pytest.raises(ValueError, match=complaint):
        compile_pipeline(pipeline.fit(rows, codes))


@needs_shared
def test_the_starter_equals_scikit_learn_on_real_flows() -> None:
    path = SHARED / "data" / "cic-ids2017-improved" / "flows.parquet"
    import pandas as pd
    import skops.io

    from detection.compiled import CompiledModel
    from detection.package import ESTIMATOR, MODEL
    from detection.registry import STARTER
    from training.flavour import TRUSTED_TYPES

    pipeline = skops.io.load(STARTER / ESTIMATOR / "model.skops", trusted=list(TRUSTED_TYPES))
    rows = clean(read_parquet(path).select(COMMON_NAMES), PREPROCESSING)
    assert len(rows) >= 50_000
    ours = CompiledModel.load(STARTER / MODEL).probabilities(rows)
    frame = pd.DataFrame(rows, columns=list(COMMON_NAMES))
    assert np.abs(ours - pipeline.predict_proba(frame)).max() <= TOLERANCE
    assert (pipeline.classes_[ours.argmax(axis=1)] == pipeline.predict(frame)).all()
