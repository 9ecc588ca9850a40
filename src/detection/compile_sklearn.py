"""A fitted scikit-learn pipeline to plain arrays; offline only, serving never imports this."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from detection.compiled import LEAF, NODE, CompiledModel, Floats


def compile_pipeline(pipeline: Pipeline) -> CompiledModel:
    """Return the arrays of a fitted StandardScaler and StackingClassifier of a forest and a regression.

    Raises:
        ValueError: the pipeline is of another make; the message says what was expected.
    """
    scaler, stack = _steps(pipeline)
    forest, linear = _base_models(stack)
    nodes, roots, leaves = _flatten(forest)
    weights, bias = _logits(linear)
    return CompiledModel(
        mean=np.array(scaler.mean_),
        scale=np.array(scaler.scale_),
        nodes=nodes,
        roots=roots,
        leaves=leaves,
        linear_weights=weights,
        linear_bias=bias,
        **_final(stack, forest),
    )


def _steps(pipeline: Pipeline) -> tuple[Any, Any]:
    steps = [step for _, step in pipeline.steps]
    if [type(step) for step in steps] != [StandardScaler, StackingClassifier]:
        names = ", ".join(type(step).__name__ for step in steps)
        raise ValueError(f"pipeline: must be StandardScaler and StackingClassifier, is {names}")
    scaler, stack = steps
    if not (scaler.with_mean and scaler.with_std):
        raise ValueError("pipeline: StandardScaler must centre and scale")
    if stack.passthrough or set(stack.stack_method_) != {"predict_proba"}:
        raise ValueError("pipeline: StackingClassifier must stack predict_proba without passthrough")
    return scaler, stack


def _base_models(stack: Any) -> tuple[Any, Any]:
    by_type = {type(model): model for model in stack.estimators_}
    if len(stack.estimators_) != 2 or set(by_type) != {RandomForestClassifier, LogisticRegression}:
        names = ", ".join(type(model).__name__ for model in stack.estimators_)
        raise ValueError(
            f"pipeline: must stack RandomForestClassifier and LogisticRegression, stacks {names}"
        )
    if type(stack.final_estimator_) is not LogisticRegression:
        raise ValueError("pipeline: the final estimator must be LogisticRegression")
    return by_type[RandomForestClassifier], by_type[LogisticRegression]


def _logits(model: Any) -> tuple[Floats, Floats]:
    """Return weights (inputs x C) and bias (C) whose softmax is the regression's answer."""
    weights, bias = model.coef_.T, model.intercept_
    if len(model.classes_) == 2:
        # One logit d against none: softmax([0, d]).
        weights, bias = np.hstack([np.zeros_like(weights), weights]), np.append(0.0, bias)
    return np.ascontiguousarray(weights, np.float64), np.array(bias, np.float64)


def _final(stack: Any, forest: Any) -> dict[str, Floats]:
    weights, bias = _logits(stack.final_estimator_)
    classes = len(stack.classes_)
    if classes == 2:
        # With two classes scikit-learn stacks the second column only.
        none = np.zeros_like(weights[0])
        weights = np.stack([none, weights[0], none, weights[1]])
    halves = [weights[:classes], weights[classes:]]
    if stack.estimators_[0] is not forest:
        halves.reverse()
    return {"final_weights": np.ascontiguousarray(np.vstack(halves)), "final_bias": bias}


def _flatten(forest: Any) -> tuple[NDArray[Any], NDArray[np.int64], Floats]:
    """Return nodes, roots and the distinct leaf distributions of all trees."""
    trees, values = zip(*(_preorder(estimator.tree_) for estimator in forest.estimators_), strict=True)
    sizes = np.array([len(tree) for tree in trees])
    roots = np.append(0, np.cumsum(sizes)[:-1]).astype(np.int64)
    nodes = np.concatenate(trees)
    is_leaf = nodes["feature"] == LEAF
    leaves, row = np.unique(np.concatenate(values), axis=0, return_inverse=True)
    nodes["next"] += np.repeat(roots, sizes).astype(np.int32)
    nodes["next"][is_leaf] = row.ravel()
    return nodes, roots, np.ascontiguousarray(leaves)


def _preorder(tree: Any) -> tuple[NDArray[Any], Floats]:
    """Return a tree's nodes, each left child behind its parent, and its leaves' values in that order."""
    order, waiting = [], [0]
    while waiting:
        at = waiting.pop()
        order.append(at)
        if tree.children_left[at] != tree.children_right[at]:
            waiting += [tree.children_right[at], tree.children_left[at]]
    place = np.empty(tree.node_count, np.int32)
    place[order] = np.arange(tree.node_count)
    is_leaf = (tree.children_left == tree.children_right)[order]
    nodes = np.zeros(tree.node_count, NODE)
    nodes["threshold"] = np.where(is_leaf, 0.0, tree.threshold[order])
    nodes["feature"] = np.where(is_leaf, LEAF, tree.feature[order])
    nodes["next"] = np.where(is_leaf, 0, place[tree.children_right[order]])
    return nodes, tree.value[order, 0, :][is_leaf]
