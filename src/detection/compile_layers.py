"""Fitted regressions, networks, machines and neighbours of scikit-learn to steps; offline only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from detection.imputation import Fill, Missing
from detection.layer_kernels import IDENTITY, LOGISTIC, RELU, SHARES, SOFTMAX, TANH
from detection.layers import Affine, Dense, Neighbours
from detection.step_checks import Floats, Ints
from detection.steps import Linear, Scale, Step

ACTIVATION: Final = {
    "identity": IDENTITY,
    "logistic": LOGISTIC,
    "tanh": TANH,
    "relu": RELU,
    "softmax": SOFTMAX,
}
EUCLIDEAN: Final = "euclidean"


def scale(scaler: Any, columns: Ints) -> Scale:
    """Return the step of a StandardScaler."""
    return Scale(
        columns,
        np.array(scaler.mean_, np.float64) if scaler.with_mean else np.zeros(columns.size),
        np.array(scaler.scale_, np.float64) if scaler.with_std else np.ones(columns.size),
    )


def to_range(name: str, scaler: Any, columns: Ints) -> Affine:
    """Return the step of a MinMaxScaler.

    Raises:
        ValueError: it clips.
    """
    if scaler.clip:
        raise ValueError(f"{name}: MinMaxScaler with clip has no compiled form")
    return Affine(columns, np.array(scaler.scale_, np.float64), np.array(scaler.min_, np.float64))


def imputation(name: str, imputer: Any, columns: Ints, append: Callable[[Step], Ints]) -> Ints:
    """Append what a SimpleImputer does and return its columns: the filled ones, and where it tells.

    Raises:
        ValueError: it replaces something else than NaN, or leaves columns out.
    """
    replaced, fill = imputer.missing_values, np.array(imputer.statistics_, np.float64)
    if not (isinstance(replaced, float) and np.isnan(replaced)):
        raise ValueError(f"{name}: SimpleImputer must replace NaN, replaces {replaced!r}")
    if np.isnan(fill).any():
        raise ValueError(f"{name}: SimpleImputer must keep columns without a value: keep_empty_features=True")
    filled = append(Fill(columns, fill))
    told = columns[imputer.indicator_.features_] if imputer.add_indicator else columns[:0]
    return np.concatenate([filled, append(Missing(told))]) if told.size else filled


def linear(model: Any, columns: Ints) -> Linear:
    """Return weights and bias whose softmax is a LogisticRegression's answer."""
    weights, bias = model.coef_.T, np.broadcast_to(model.intercept_, len(model.coef_))
    weights, bias = of_two_classes(weights, bias)
    return Linear(columns, np.ascontiguousarray(weights, np.float64), np.array(bias, np.float64))


def of_two_classes(weights: Floats, bias: Floats) -> tuple[Floats, Floats]:
    """Return weights and bias of C logits: one logit d stands against none, softmax([0, d])."""
    if weights.shape[1] > 1:
        return weights, bias
    return np.hstack([np.zeros_like(weights), weights]), np.append(0.0, bias)


def dense(columns: Ints, weights: Floats, bias: Floats, activation: int) -> Dense:
    """Return the layer of weights n x C and bias."""
    return Dense(
        columns,
        np.ascontiguousarray(weights, np.float64),
        np.array(bias, np.float64),
        np.array([activation], np.int64),
    )


def network(name: str, model: Any, columns: Ints, append: Callable[[Step], Ints]) -> Ints:
    """Append the layers of an MLPClassifier or MLPRegressor and return the last one's columns.

    Raises:
        ValueError: its classes do not exclude each other.
    """
    *hidden, (weights, bias) = zip(model.coefs_, model.intercepts_, strict=True)
    for each in hidden:
        columns = append(dense(columns, *each, ACTIVATION[model.activation]))
    last = ACTIVATION[model.out_activation_]
    if last == LOGISTIC:
        if len(model.classes_) != 2:
            raise ValueError(f"{name}: must tell one class a row, tells several")
        weights, bias = of_two_classes(weights, bias)
        last = SOFTMAX
    return append(dense(columns, weights, bias, last))


def machine(name: str, calibrated: Any, columns: Ints) -> Dense:
    """Return the layer of a CalibratedClassifierCV over one linear support vector machine.

    Raises:
        ValueError: it is calibrated otherwise than by sigmoids, or over several machines.
    """
    (only, *others) = calibrated.calibrated_classifiers_
    if others or calibrated.method != "sigmoid":
        raise ValueError(f"{name}: CalibratedClassifierCV must be of method sigmoid and ensemble=False")
    made = type(only.estimator).__name__
    if made != "LinearSVC":
        raise ValueError(f"{name}.estimator: {made} has no compiled form under a calibration; LinearSVC has")
    slope = np.array([each.a_ for each in only.calibrators])
    offset = np.array([each.b_ for each in only.calibrators])
    weights, bias = -only.estimator.coef_.T * slope, -(only.estimator.intercept_ * slope + offset)
    if len(slope) == 1:
        return dense(columns, *of_two_classes(weights, bias), SOFTMAX)
    return dense(columns, weights, bias, SHARES)


def neighbours(name: str, model: Any, columns: Ints) -> Neighbours:
    """Return the step of a KNeighborsClassifier.

    Raises:
        ValueError: its metric or its weights are others.
    """
    if model.effective_metric_ != EUCLIDEAN or model.weights not in ("uniform", "distance"):
        raise ValueError(f"{name}: KNeighborsClassifier must weigh uniformly or by Euclid's distance")
    return Neighbours(
        columns=columns,
        rows=np.ascontiguousarray(model._fit_X.T, np.float64),
        classes=np.array(model._y, np.int64),
        neighbours=np.array([model.n_neighbors], np.int64),
        uniform=np.array([model.weights == "uniform"], np.bool_),
        labels=np.arange(len(model.classes_)),
    )
