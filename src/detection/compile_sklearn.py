"""A fitted scikit-learn classifier to plain arrays; offline only, serving never imports this."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from detection.compiled import CompiledModel
from detection.steps import LEAF, Floats, Forest, Ints, Linear, Scale, Step

SUPPORTED: Final = (
    "supported are StandardScaler, RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier, "
    "LogisticRegression, and Pipeline and StackingClassifier of these"
)
VALUE_TOLERANCE: Final = 1e-9


def compile_pipeline(estimator: Any) -> CompiledModel:
    """Return the steps of a fitted classifier; its classes keep the order of `classes_`.

    Raises:
        ValueError: the estimator or a part of it has no compiled form; the message names the part and
            what is supported.
        sklearn.exceptions.NotFittedError: it was not fitted.
    """
    check_is_fitted(estimator)
    builder = _Builder(int(estimator.n_features_in_), len(np.atleast_1d(estimator.classes_)))
    builder.add(type(estimator).__name__, estimator, np.arange(builder.features))
    return CompiledModel(builder.features, tuple(builder.steps))


class _Builder:
    """Collects steps; every `add` returns the columns that hold the estimator's answers."""

    def __init__(self, features: int, classes: int) -> None:
        self.features = features
        self.classes = classes
        self.steps: list[Step] = []
        self._width = features

    def add(self, name: str, estimator: Any, columns: Ints) -> Ints:
        """Append what a named part of the estimator does with some columns."""
        kind = type(estimator)
        if kind is Pipeline:
            return self._add_pipeline(name, estimator, columns)
        if kind is StandardScaler:
            return self._append(_scale(estimator, columns))
        if kind not in _MODELS:
            raise ValueError(f"{name}: {kind.__name__} has no compiled form; {SUPPORTED}")
        known = np.atleast_1d(np.asarray(estimator.classes_, object))
        if known.ndim != 1 or len(known) != self.classes:
            raise ValueError(f"{name}: must know the {self.classes} classes of the whole, knows {len(known)}")
        if kind is StackingClassifier:
            return self._add_stack(name, estimator, columns)
        if kind is LogisticRegression:
            return self._append(_linear(estimator, columns))
        trees = [estimator] if kind is DecisionTreeClassifier else estimator.estimators_
        return self._append(_forest(name, [tree.tree_ for tree in trees], columns))

    def _append(self, step: Step) -> Ints:
        self.steps.append(step)
        self._width += step.width()
        return np.arange(self._width - step.width(), self._width)

    def _add_pipeline(self, name: str, pipeline: Pipeline, columns: Ints) -> Ints:
        *before, (last, model) = pipeline.steps
        for step, transformer in before:
            if transformer is None or isinstance(transformer, str):
                continue
            if type(transformer) is not StandardScaler:
                made = type(transformer).__name__
                raise ValueError(
                    f"{name}.{step}: {made} has no compiled form before a classifier; {SUPPORTED}"
                )
            columns = self.add(f"{name}.{step}", transformer, columns)
        return self.add(f"{name}.{last}", model, columns)

    def _add_stack(self, name: str, stack: Any, columns: Ints) -> Ints:
        names = [base for base, given in stack.estimators if not isinstance(given, str)]
        answers = []
        for base, model, method in zip(names, stack.estimators_, stack.stack_method_, strict=True):
            if method != "predict_proba":
                raise ValueError(f"{name}.{base}: must be stacked by predict_proba, is by {method}")
            # With two classes scikit-learn stacks the second column only.
            answers.append(self.add(f"{name}.{base}", model, columns)[1 if self.classes == 2 else 0 :])
        if stack.passthrough:
            answers.append(columns)
        return self.add(f"{name}.final_estimator", stack.final_estimator_, np.concatenate(answers))


_MODELS: Final = (
    *(StackingClassifier, LogisticRegression),
    *(DecisionTreeClassifier, RandomForestClassifier, ExtraTreesClassifier),
)


def _scale(scaler: Any, columns: Ints) -> Scale:
    return Scale(
        columns,
        np.array(scaler.mean_, np.float64) if scaler.with_mean else np.zeros(columns.size),
        np.array(scaler.scale_, np.float64) if scaler.with_std else np.ones(columns.size),
    )


def _linear(model: Any, columns: Ints) -> Linear:
    """Return weights and bias whose softmax is the regression's answer."""
    weights, bias = model.coef_.T, np.broadcast_to(model.intercept_, len(model.coef_))
    if len(model.classes_) == 2:
        # One logit d against none: softmax([0, d]).
        weights, bias = np.hstack([np.zeros_like(weights), weights]), np.append(0.0, bias)
    return Linear(columns, np.ascontiguousarray(weights, np.float64), np.array(bias, np.float64))


def _forest(name: str, trees: list[Any], columns: Ints) -> Forest:
    if trees[0].n_outputs != 1:
        raise ValueError(f"{name}: must have one output, has {trees[0].n_outputs}")
    orders = [_preorder(tree) for tree in trees]
    sizes = np.array([tree.node_count for tree in trees])
    roots = (np.cumsum(sizes) - sizes).astype(np.int64)

    def joined(field: str) -> NDArray[Any]:
        return np.concatenate(
            [getattr(tree, field)[order] for tree, order in zip(trees, orders, strict=True)]
        )

    places = [np.argsort(order) for order in orders]
    right = np.concatenate(
        [
            root + place[tree.children_right[order]]
            for tree, order, place, root in zip(trees, orders, places, roots, strict=True)
        ]
    )
    is_leaf = joined("children_left") < 0
    values = joined("value")[:, 0, :]
    leaves, right[is_leaf] = _distinct(values[is_leaf])
    forest = Forest(
        columns=columns,
        threshold=np.where(is_leaf, 0, floor_to_float32(joined("threshold"))).astype(np.float32),
        feature=np.where(is_leaf, LEAF, joined("feature")).astype(np.int16),
        next=right.astype(np.int32),
        missing_left=joined("missing_go_to_left").astype(np.bool_) & ~is_leaf,
        weight=joined("weighted_n_node_samples").astype(np.float64),
        roots=roots,
        leaves=leaves,
    )
    forest.check()
    if np.abs(forest.distributions() - values).max() > VALUE_TOLERANCE:
        raise ValueError(
            f"{name}: nodes must be the weighted means of their children; monotonic_cst has no compiled form"
        )
    return forest


def _distinct(rows: Floats) -> tuple[Floats, Ints]:
    """Return the distinct rows by first use, so that those of a tree lie together, and each row's place."""
    _, first, place = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return np.ascontiguousarray(rows[first[order]], np.float64), np.argsort(order)[place.ravel()]


def floor_to_float32(numbers: Floats) -> NDArray[np.float32]:
    """Return the largest float32 not above each number."""
    with np.errstate(over="ignore"):
        nearest = numbers.astype(np.float32)
        below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > numbers, below, nearest)


def _preorder(tree: Any) -> Ints:
    """Return a tree's nodes in an order in which each left child stands behind its parent."""
    left, right = tree.children_left.tolist(), tree.children_right.tolist()
    order, waiting = [], [0]
    while waiting:
        at = waiting.pop()
        order.append(at)
        if left[at] >= 0:
            waiting += [right[at], left[at]]
    return np.array(order, np.int64)
