"""An oracle of explanations: path attribution over scikit-learn's own estimators, plain and slow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad_vec
from scipy.special import softmax
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

Floats = NDArray[np.float64]
FORESTS = (RandomForestClassifier, ExtraTreesClassifier)


def oracle_terms(model: Any, row: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Return the C probabilities `model` starts from, and what each of F features adds to them, F x C.

    `reference` is where linear models start unless a StandardScaler precedes them.
    """
    if isinstance(model, Pipeline):
        return _pipeline(model, row, reference)
    if isinstance(model, DecisionTreeClassifier):
        return _tree(model, row)
    if isinstance(model, FORESTS):
        parts = [_tree(tree, row) for tree in model.estimators_]
        return np.mean([base for base, _ in parts], axis=0), np.mean([moved for _, moved in parts], axis=0)
    if isinstance(model, LogisticRegression):
        moves = np.diag(row - reference)
        return _regression(model, reference, moves)
    assert isinstance(model, StackingClassifier)
    return _stack(model, row, reference)


def _pipeline(model: Pipeline, row: Floats, reference: Floats) -> tuple[Floats, Floats]:
    *scalers, last = [step for _, step in model.steps]
    if isinstance(scalers[0], SimpleImputer):
        start, end = scalers[0].transform(np.array([reference, row]))
        owners = np.concatenate([np.arange(len(row)), scalers[0].indicator_.features_])
        return _regression(last, start, (end - start)[:, None] * (owners[:, None] == np.arange(len(row))))
    for scaler in scalers:
        row, reference = (row - scaler.mean_) / scaler.scale_, np.zeros_like(row)
    return oracle_terms(last, row, reference)


def _tree(model: DecisionTreeClassifier, row: Floats) -> tuple[Floats, Floats]:
    tree, at = model.tree_, 0
    moved = np.zeros((len(row), model.n_classes_))
    narrow = row.astype(np.float32)
    while tree.children_left[at] != tree.children_right[at]:
        value = narrow[tree.feature[at]]
        left = tree.missing_go_to_left[at] if np.isnan(value) else value <= tree.threshold[at]
        child = tree.children_left[at] if left else tree.children_right[at]
        moved[tree.feature[at]] += tree.value[child, 0] - tree.value[at, 0]
        at = child
    return tree.value[0, 0], moved


def _regression(model: LogisticRegression, inputs: Floats, moves: Floats) -> tuple[Floats, Floats]:
    """Explain a regression whose D inputs each of F features moves, D x F."""
    weights, bias = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weights, bias = np.vstack([0 * weights, weights]), np.append(0.0, bias)
    start, terms = weights @ inputs + bias, (weights @ moves).T

    def slope(t: float) -> Floats:
        p = softmax(start + t * terms.sum(axis=0))
        return np.diag(p) - np.outer(p, p)

    # The slope is steep where two logits cross.
    change = terms.sum(axis=0)
    gaps, speeds = np.subtract.outer(start, start), -np.subtract.outer(change, change)
    crossings = np.divide(gaps, speeds, out=np.zeros_like(gaps), where=speeds != 0)
    mean_slope, _ = quad_vec(slope, 0, 1, epsabs=1e-10, epsrel=1e-10, limit=100_000, points=crossings.ravel())
    return softmax(start), terms @ mean_slope


def _stack(model: StackingClassifier, row: Floats, reference: Floats) -> tuple[Floats, Floats]:
    inputs, moves = [], []
    for estimator in model.estimators_:
        base, moved = oracle_terms(estimator, row, reference)
        columns = slice(1, None) if len(model.classes_) == 2 else slice(None)
        inputs.append(base[columns])
        moves.append(moved[:, columns].T)
    if model.passthrough:
        inputs.append(reference)
        moves.append(np.diag(row - reference))
    return _regression(model.final_estimator_, np.concatenate(inputs), np.vstack(moves))
