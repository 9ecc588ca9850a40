"""A fitted scikit-learn estimator to plain arrays; offline only, serving never imports this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from detection import compile_layers, compile_trees
from detection.compiled import CompiledModel
from detection.layer_kernels import HALVING, IDENTITY, ODDS, RELU, SOFTMAX
from detection.layers import Asinh, Distance, Log
from detection.step_checks import Floats, Ints
from detection.steps import Scale, Step

SUPPORTED: Final = (
    "supported are RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier, "
    "HistGradientBoostingClassifier, LogisticRegression, MLPClassifier, KNeighborsClassifier, LinearSVC "
    "calibrated by CalibratedClassifierCV, StandardScaler, MinMaxScaler, SimpleImputer, FunctionTransformer "
    "of numpy.log1p, numpy.arcsinh or numpy.float32, and Pipeline and StackingClassifier of these"
)
_BY_COLUMN: Final[dict[Any, type[Log | Asinh]]] = {np.log1p: Log, np.arcsinh: Asinh}
_TREES: Final = (RandomForestClassifier, ExtraTreesClassifier, DecisionTreeClassifier)


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
    return builder.made()


def compile_isolation(pipeline: Pipeline) -> CompiledModel:
    """Return the steps of a fitted IsolationForest behind transformers: 1 - s and s, s its anomaly score.

    Raises:
        ValueError: its trees read parts of the features, or a transformer has no compiled form.
    """
    builder = _Builder(int(pipeline.n_features_in_), 2)
    columns = builder.transform("Pipeline", pipeline.steps[:-1], np.arange(builder.features))
    model = pipeline.steps[-1][1]
    if any(len(read) != columns.size for read in model.estimators_features_):
        raise ValueError("IsolationForest: must read all features in every tree; max_features must be 1.0")
    depths = [
        lengths + rest - 1.0
        for lengths, rest in zip(
            model._decision_path_lengths, model._average_path_length_per_tree, strict=True
        )
    ]
    depth = builder.append(
        compile_trees.isolation([tree.tree_ for tree in model.estimators_], depths, columns)
    )
    expected = _expected_depth(model.max_samples_)
    score = builder.append(compile_layers.dense(depth, np.array([[1.0 / expected]]), np.zeros(1), HALVING))
    return builder.of_one(score)


def compile_autoencoder(pipeline: Pipeline, reference: float) -> CompiledModel:
    """Return the steps of a fitted MLPRegressor that repeats what transformers give it: 1 - p and p.

    Args:
        pipeline: the transformers and the network.
        reference: r; p = e / (e + r) of the mean squared error e.

    Raises:
        ValueError: a transformer has no compiled form.
    """
    builder = _Builder(int(pipeline.n_features_in_), 2)
    scaled = builder.transform("Pipeline", pipeline.steps[:-1], np.arange(builder.features))
    repeated = compile_layers.network("Pipeline.network", pipeline.steps[-1][1], scaled, builder.append)
    error = builder.append(Distance(np.concatenate([scaled, repeated])))
    p = builder.append(compile_layers.dense(error, np.array([[1.0 / reference]]), np.zeros(1), ODDS))
    return builder.of_one(p)


def compile_network(mean: Floats, scale: Floats, layers: Sequence[tuple[Floats, Floats]]) -> CompiledModel:
    """Return the steps of a network over scaled logarithms of F features.

    Args:
        mean, scale: F each, of the logarithms.
        layers: weights, n x m, and bias, m, of each; a relu between them, a softmax behind the last.
    """
    *hidden, (weights, bias) = layers
    builder = _Builder(len(mean), len(bias))
    columns = builder.append(Log(np.arange(builder.features)))
    columns = builder.append(Scale(columns, np.array(mean, np.float64), np.array(scale, np.float64)))
    for each in hidden:
        columns = builder.append(compile_layers.dense(columns, *each, RELU))
    builder.append(compile_layers.dense(columns, weights, bias, SOFTMAX))
    return builder.made()


def _expected_depth(samples: int) -> float:
    """Return the depth at which a random tree isolates one of so many rows, as scikit-learn has it."""
    if samples <= 1:
        raise ValueError("IsolationForest: was fitted on one row")
    if samples == 2:
        return 1.0
    return float(2.0 * (np.log(samples - 1.0) + np.euler_gamma) - 2.0 * (samples - 1.0) / samples)


class _Builder:
    """Collects steps; every `add` returns the columns that hold the estimator's answers."""

    def __init__(self, features: int, classes: int) -> None:
        self.features = features
        self.classes = classes
        self.steps: list[Step] = []
        self._width = features

    def made(self) -> CompiledModel:
        return CompiledModel(self.features, tuple(self.steps))

    def of_one(self, column: Ints) -> CompiledModel:
        """Return the model that answers 1 - p and p, p being one column."""
        self.append(compile_layers.dense(column, np.array([[-1.0, 1.0]]), np.array([1.0, 0.0]), IDENTITY))
        return self.made()

    def append(self, step: Step) -> Ints:
        self.steps.append(step)
        self._width += step.width()
        return np.arange(self._width - step.width(), self._width)

    def add(self, name: str, estimator: Any, columns: Ints, *, whole: bool = True) -> Ints:
        """Append what a named part of the estimator does with some columns.

        Args:
            name, estimator: the part.
            columns: what it reads.
            whole: it must know the classes of the whole.
        """
        kind = type(estimator)
        if kind is Pipeline:
            before, (last, model) = estimator.steps[:-1], estimator.steps[-1]
            if _is_float32(before) and type(model) is HistGradientBoostingClassifier:
                # Its trees are walked with float32 anyway.
                columns = self.transform(name, before[:-1], columns)
                return self._add_boosted(f"{name}.{last}", model, columns)
            return self.add(f"{name}.{last}", model, self.transform(name, before, columns), whole=whole)
        if kind is StandardScaler:
            return self.append(compile_layers.scale(estimator, columns))
        if kind not in _MODELS:
            raise ValueError(f"{name}: {kind.__name__} has no compiled form; {SUPPORTED}")
        known = np.atleast_1d(np.asarray(estimator.classes_, object))
        if known.ndim != 1 or (whole and len(known) != self.classes):
            raise ValueError(f"{name}: must know the {self.classes} classes of the whole, knows {len(known)}")
        return _MODELS[kind](self, name, estimator, columns)

    def transform(self, name: str, steps: list[tuple[str, Any]], columns: Ints) -> Ints:
        """Append a pipeline's transformers.

        Raises:
            ValueError: one has no compiled form.
        """
        for step, transformer in steps:
            if transformer is None or isinstance(transformer, str):
                continue
            columns = self._transform(f"{name}.{step}", transformer, columns)
        return columns

    def _transform(self, name: str, transformer: Any, columns: Ints) -> Ints:
        kind = type(transformer)
        if kind is StandardScaler:
            return self.append(compile_layers.scale(transformer, columns))
        if kind is MinMaxScaler:
            return self.append(compile_layers.to_range(name, transformer, columns))
        if kind is SimpleImputer:
            return compile_layers.imputation(name, transformer, columns, self.append)
        if kind is FunctionTransformer and transformer.func in _BY_COLUMN:
            return self.append(_BY_COLUMN[transformer.func](columns))
        what = kind.__name__
        if kind is FunctionTransformer:
            what += f" of {getattr(transformer.func, '__name__', transformer.func)}"
        raise ValueError(f"{name}: {what} has no compiled form before this classifier; {SUPPORTED}")

    def _add_stack(self, name: str, stack: Any, columns: Ints) -> Ints:
        names = [base for base, given in stack.estimators if not isinstance(given, str)]
        answers = []
        for base, model, method in zip(names, stack.estimators_, stack.stack_method_, strict=True):
            if method != "predict_proba":
                raise ValueError(f"{name}.{base}: must be stacked by predict_proba, is by {method}")
            # Parts that were fitted by themselves may tell other things apart than the whole.
            found = self.add(f"{name}.{base}", model, columns, whole=stack.cv != "prefit")
            # With two classes scikit-learn stacks the second column only.
            answers.append(found[1 if self.classes == 2 else 0 :])
        if stack.passthrough:
            answers.append(columns)
        return self.add(f"{name}.final_estimator", stack.final_estimator_, np.concatenate(answers))

    def _add_forest(self, name: str, model: Any, columns: Ints) -> Ints:
        trees = [model] if type(model) is DecisionTreeClassifier else model.estimators_
        return self.append(compile_trees.forest(name, [tree.tree_ for tree in trees], columns))

    def _add_boosted(self, name: str, model: Any, columns: Ints) -> Ints:
        rounds = model._predictors
        mean = self.append(compile_trees.boosted(name, rounds, columns))
        weights: Floats = np.eye(mean.size) * (len(rounds) * mean.size)
        start = np.asarray(model._baseline_prediction, np.float64).ravel()
        return self.append(
            compile_layers.dense(mean, *compile_layers.of_two_classes(weights, start), SOFTMAX)
        )

    def _refuse_boosted(self, name: str, model: Any, columns: Ints) -> Ints:
        raise ValueError(
            f"{name}: HistGradientBoostingClassifier compares float64, compiled trees float32: fit it in a "
            "Pipeline behind FunctionTransformer(numpy.float32)"
        )

    def _add_linear(self, name: str, model: Any, columns: Ints) -> Ints:
        return self.append(compile_layers.linear(model, columns))

    def _add_network(self, name: str, model: Any, columns: Ints) -> Ints:
        return compile_layers.network(name, model, columns, self.append)

    def _add_machine(self, name: str, model: Any, columns: Ints) -> Ints:
        return self.append(compile_layers.machine(name, model, columns))

    def _add_neighbours(self, name: str, model: Any, columns: Ints) -> Ints:
        return self.append(compile_layers.neighbours(name, model, columns))


_MODELS: Final[dict[Any, Callable[[_Builder, str, Any, Ints], Ints]]] = {
    **dict.fromkeys(_TREES, _Builder._add_forest),
    StackingClassifier: _Builder._add_stack,
    HistGradientBoostingClassifier: _Builder._refuse_boosted,
    LogisticRegression: _Builder._add_linear,
    MLPClassifier: _Builder._add_network,
    CalibratedClassifierCV: _Builder._add_machine,
    KNeighborsClassifier: _Builder._add_neighbours,
}


def _is_float32(steps: list[tuple[str, Any]]) -> bool:
    if not steps or type(steps[-1][1]) is not FunctionTransformer:
        return False
    return bool(steps[-1][1].func is np.float32)
