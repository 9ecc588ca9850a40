from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from detection.compile_sklearn import compile_pipeline
from detection.compiled import CompiledModel
from detection.kernel import BLOCK_ROWS
from detection.steps import Forest, Linear, Scale, Step
from detection.walk import MOST_FEATURES, MOST_LEAVES
from helpers.models import fitted_pipeline, made_up_flows


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return compile_pipeline(fitted_pipeline())


SIZES = [0, 1, 7, 8, 9, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS + 7]


@pytest.mark.parametrize("rows", SIZES)
def test_a_row_scores_the_same_in_any_company(model: CompiledModel, rows: int) -> None:
    features, _ = made_up_flows(rows, seed=3)
    together = model.probabilities(features)
    alone = [model.probabilities(features[at : at + 1])[0] for at in range(rows)]
    assert together.shape == (rows, 3)
    assert (together == np.array(alone).reshape(rows, 3)).all()
    assert np.allclose(together.sum(axis=1), 1.0)


def test_rows_with_nan_do_not_change_their_neighbours() -> None:
    features, codes = made_up_flows(300, features=4)
    features[::7, 1] = np.nan
    tree = compile_pipeline(DecisionTreeClassifier(random_state=0).fit(features, codes))
    together = tree.probabilities(features)
    assert (together == [tree.probabilities(row[None])[0] for row in features]).all()


def test_takes_rows_in_any_layout(model: CompiledModel) -> None:
    features, _ = made_up_flows(50)
    assert (model.probabilities(np.asfortranarray(features)) == model.probabilities(features)).all()
    wide = np.hstack([features, features])
    assert (model.probabilities(wide[:, :76]) == model.probabilities(features)).all()


@pytest.mark.parametrize("classes", [2, 3, 4, 5, 8, 9])
def test_trees_of_any_size_and_any_number_of_classes(classes: int) -> None:
    random = np.random.default_rng(classes)
    features = random.normal(size=(6000, 4))
    forest = RandomForestClassifier(5, random_state=0).fit(features, random.permutation(6000) % classes)
    forest.estimators_ += [
        DecisionTreeClassifier(max_depth=depth, random_state=0).fit(features, forest.predict(features))
        for depth in (1, 4, 5, 6)
    ]
    forest.n_estimators = len(forest.estimators_)
    sizes = [tree.tree_.node_count for tree in forest.estimators_]
    assert min(sizes) == 3
    assert max(sizes) > 2048
    rows = random.normal(size=(BLOCK_ROWS + 77, 4))
    assert np.abs(compile_pipeline(forest).probabilities(rows) - forest.predict_proba(rows)).max() <= 1e-12


def test_trees_may_lie_in_any_order(model: CompiledModel) -> None:
    scale, forest, *others = model.steps
    assert isinstance(forest, Forest)
    turned = CompiledModel(76, (scale, replace(forest, roots=forest.roots[::-1].copy()), *others))
    features, _ = made_up_flows(200)
    assert np.allclose(turned.probabilities(features), model.probabilities(features), rtol=0, atol=1e-12)


def test_says_which_shape_it_wants(model: CompiledModel) -> None:
    with pytest.raises(ValueError, match="rows: must be n x 76, are 2 x 75"):
        model.probabilities(np.zeros((2, 75)))
    with pytest.raises(ValueError, match="rows: must be n x 76, are 76"):
        model.probabilities(np.zeros(76))


def test_an_overflow_of_float32_lies_beyond_every_threshold() -> None:
    features, codes = made_up_flows(90, features=3)
    tree = DecisionTreeClassifier(random_state=0).fit(features, codes)
    ours, largest = compile_pipeline(tree), float(np.finfo(np.float32).max)
    for sign in (1.0, -1.0):
        beyond = ours.probabilities(np.full((1, 3), sign * 1e300))
        assert (beyond == tree.predict_proba(np.full((1, 3), sign * largest))).all()


def saved(model: CompiledModel) -> bytes:
    file = io.BytesIO()
    model.save(file)
    return file.getvalue()


def test_survives_its_file(model: CompiledModel) -> None:
    loaded = CompiledModel.load(io.BytesIO(saved(model)))
    assert loaded.features == model.features
    for ours, theirs in zip(model.steps, loaded.steps, strict=True):
        assert type(ours) is type(theirs)
        for field in fields(ours):
            assert (getattr(ours, field.name) == getattr(theirs, field.name)).all()
    assert saved(loaded) == saved(model)


def with_step(model: CompiledModel, bent: Step) -> CompiledModel:
    """The model, one step replaced by another of its kind; not checked, as a file is not."""
    steps = tuple(bent if type(step) is type(bent) else step for step in model.steps)
    made = object.__new__(CompiledModel)
    made.__dict__.update(features=model.features, steps=steps)
    return made


def a(kind: type[Step], model: CompiledModel) -> Any:
    return next(step for step in model.steps if isinstance(step, kind))


def bent(array: np.ndarray, at: int, value: float) -> np.ndarray:
    changed = array.copy()
    changed[at] = value
    return changed


def broken_forests(forest: Forest) -> dict[str, list[Forest]]:
    inner, leaf = int(np.argmin(forest.is_leaf)), int(np.argmax(forest.is_leaf))
    size, last = forest.feature.size, forest.feature.size - 1
    return {
        "next: a node leads outside": [
            replace(forest, next=bent(forest.next, inner, inner)),
            replace(forest, next=bent(forest.next, inner, size)),
            replace(forest, next=bent(forest.next, leaf, len(forest.leaves))),
            replace(forest, next=bent(forest.next, leaf, -1)),
            replace(forest, feature=bent(forest.feature, inner, forest.columns.size)),
            replace(forest, feature=bent(forest.feature, inner, -2)),
            replace(forest, feature=bent(forest.feature, last, 0)),
        ],
        "roots: a tree begins": [
            replace(forest, roots=np.array([size])),
            replace(forest, roots=np.array([-1])),
            replace(forest, roots=np.empty(0, np.int64)),
        ],
        r"columns: must lie within 0 and \d+": [replace(forest, columns=bent(forest.columns, 0, -1))],
        f"leaves: .* are more than {MOST_LEAVES}": [
            replace(forest, leaves=np.broadcast_to(forest.leaves[:1], (MOST_LEAVES + 1, 3)))
        ],
        f"columns: .* are more than {MOST_FEATURES}": [
            replace(forest, columns=np.zeros(MOST_FEATURES + 1, np.int64))
        ],
        "columns: must lie within 0 and 156": [replace(forest, leaves=forest.leaves[:, :2])],
        "leaves: must be a table": [replace(forest, leaves=forest.leaves[0])],
        "weight: holds values that are not positive": [replace(forest, weight=forest.weight * 0)],
        "threshold: is float64": [replace(forest, threshold=forest.threshold.astype(np.float64))],
        "threshold: holds NaN": [replace(forest, threshold=forest.threshold * np.nan)],
    }


def test_refuses_arrays_that_lead_outside(model: CompiledModel) -> None:
    forest, scale, linear = a(Forest, model), a(Scale, model), a(Linear, model)
    broken: dict[str, list[Any]] = {
        **broken_forests(forest),
        "weights: is float64": [
            replace(linear, bias=np.zeros(4)),
            replace(linear, weights=linear.weights[:-1]),
        ],
        "weights: is float32": [replace(linear, weights=linear.weights.astype(np.float32))],
        "scale: holds values that are not finite": [replace(scale, scale=scale.scale * np.nan)],
        "scale: holds 0": [replace(scale, scale=scale.scale * 0)],
        "columns: is int64": [replace(scale, columns=scale.columns[:, None])],
    }
    for complaint, steps in broken.items():
        for step in steps:
            with pytest.raises(ValueError, match=complaint):
                CompiledModel.load(io.BytesIO(saved(with_step(model, step))))


def rewritten(model: CompiledModel, change: Callable[[dict[str, Any]], object]) -> io.BytesIO:
    with np.load(io.BytesIO(saved(model))) as archive:
        arrays = dict(archive)
    change(arrays)
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    return file


def without_the_last_step(arrays: dict[str, Any]) -> None:
    for name in [name for name in arrays if not name.startswith(("0.", "features"))]:
        del arrays[name]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda arrays: arrays.pop("features"), "features: must be one int64"),
        (
            lambda arrays: arrays.update(features=np.array(75)),
            "step 0 .scale.: columns: must lie within 0 and 74",
        ),
        (lambda arrays: arrays.pop("1.forest.roots"), "step 1: must have the arrays columns, threshold"),
        (lambda arrays: arrays.update({"9.linear.bias": np.zeros(3)}), "step 4: must have the arrays"),
        (lambda arrays: arrays.update({"1.other.bias": np.zeros(3)}), "1.other.bias: is no array of a model"),
        (lambda arrays: arrays.update({"mean": np.zeros(3)}), "mean: is no array of a model"),
        (without_the_last_step, "the last one must answer the probabilities"),
        (lambda arrays: arrays.update({"0.scale.mean": np.array([{}], object)}), "allow_pickle"),
    ],
)
def test_refuses_files_of_another_make(model: CompiledModel, change: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        CompiledModel.load(rewritten(model, change))
