"""Unfitted estimators: what every kind of the registry is made of.

Trees read features as they are. Whatever measures distances or multiplies by weights reads their
logarithms, since features spread over nine powers of ten.
"""

from __future__ import annotations

from typing import Any, Final

import joblib
import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from detection.catboost_model import import_catboost
from training.gated import Gated

JOBS: Final = -1
"""All cores: a forest's threads share the training data, and its trees are the same with any number."""

GATED_ROWS: Final = 80_000
"""Gated trees are fitted on so many training flows at most: that more add nothing was measured (ADR 113)."""

STACKED_ROWS: Final = 300_000
"""A stack is fitted on so many training flows at most: its members are fitted six times each."""

STORED_ROWS: Final = 10_000
"""So many training flows a model of neighbours keeps: each verdict compares with every one."""


def stacked(
    seed: int,
    *,
    trees: int = 100,
    depth: int = 20,
    leaf: int = 1,
    features: float | str = "sqrt",
    c: float = 1.0,
    tolerance: float = 1e-2,
    folds: int = 5,
) -> Pipeline:
    """Return a forest and a regression, stacked by another; classes weigh the same whatever their counts.

    The regression of logarithms stops when its gradient is below `tolerance`: what is left to gain changes
    no verdict, and takes ten times as long.
    """
    forest = _forest(RandomForestClassifier, seed, trees, depth, leaf, features)
    linear = LogisticRegression(C=c, max_iter=2000, tol=tolerance, class_weight="balanced", random_state=seed)
    stack = StackingClassifier(
        [("rf", forest), ("lr", Pipeline([*_logarithms(), ("lr", linear)]))],
        LogisticRegression(max_iter=2000, random_state=seed),
        cv=folds,
        n_jobs=1,
    )
    return Pipeline([("stack", stack)])


def stacked_five(
    seed: int,
    *,
    trees: int = 100,
    depth: int = 20,
    leaf: int = 1,
    features: float | str = "sqrt",
    c: float = 1.0,
    tolerance: float = 1e-2,
    width: int = 100,
    epochs: int = 30,
    folds: int = 5,
) -> Pipeline:
    """Return three forests, a regression and a network, stacked by a regression.

    Of the forests, the latter two of half the trees: one that looks for the best cuts, one of random cuts of
    which the best is taken, and one whose cuts are random alone, which leans on no few features. Rows are in
    the order of time, and folds are blocks of it: the last regression learns how far each is to be trusted
    about flows of another hour. The first regression stops when its gradient is below `tolerance`, since its
    rough answers are those of use where forests have seen nothing like a flow.
    """
    forest = _forest(RandomForestClassifier, seed, trees, depth, leaf, features, weights=None)
    half = max(trees // 2, 1)
    extra = _forest(ExtraTreesClassifier, seed, half, depth, leaf, features)
    chance = _forest(ExtraTreesClassifier, seed, half, depth, leaf, 1, weights=None)
    linear = LogisticRegression(C=c, max_iter=2000, tol=tolerance, class_weight="balanced", random_state=seed)
    network = MLPClassifier((width, max(width // 2, 2)), max_iter=epochs, random_state=seed)
    stack = StackingClassifier(
        [
            ("rf", forest),
            ("lr", Pipeline([*_logarithms(), ("lr", linear)])),
            ("et", extra),
            ("chance", chance),
            ("mlp", Pipeline([*_logarithms(), ("mlp", network)])),
        ],
        LogisticRegression(max_iter=2000, random_state=seed),
        cv=folds,
        n_jobs=1,
    )
    return Pipeline([("stack", stack)])


def gated(
    seed: int,
    *,
    gates: int = 3,
    rounds: int = 60,
    rate: float = 0.1,
    leaves: int = 31,
    share: float = 0.3,
    trees: int = 50,
    depth: int | None = 20,
) -> Gated:
    """Return boosted trees that tell attacks from the rest, and a forest that tells their kinds."""
    return Gated(
        seed,
        gates=gates,
        rounds=rounds,
        rate=rate,
        leaves=leaves,
        share=share,
        trees=trees,
        depth=depth,
        jobs=JOBS,
    )


def random_forest(
    seed: int, *, trees: int = 100, depth: int | None = None, leaf: int = 1, features: float | str = "sqrt"
) -> Pipeline:
    """Return a random forest."""
    return Pipeline([("rf", _forest(RandomForestClassifier, seed, trees, depth, leaf, features))])


def extra_trees(
    seed: int, *, trees: int = 100, depth: int | None = None, leaf: int = 1, features: float | str = "sqrt"
) -> Pipeline:
    """Return extremely randomised trees."""
    return Pipeline([("et", _forest(ExtraTreesClassifier, seed, trees, depth, leaf, features))])


def _forest(
    kind: Any,
    seed: int,
    trees: int,
    depth: int | None,
    leaf: int,
    features: float | str,
    weights: str | None = "balanced",
) -> RandomForestClassifier | ExtraTreesClassifier:
    return kind(
        trees,
        max_depth=depth,
        min_samples_leaf=leaf,
        max_features=features,
        class_weight=weights,
        random_state=seed,
        n_jobs=JOBS,
    )


def gradient_boosting(
    seed: int, *, rounds: int = 100, rate: float = 0.1, leaves: int = 31, leaf: int = 20, l2: float = 0.0
) -> Pipeline:
    """Return gradient boosting over histograms, which reads features as float32, as compiled trees do."""
    boosted = HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=rate,
        max_leaf_nodes=leaves,
        min_samples_leaf=leaf,
        l2_regularization=l2,
        class_weight="balanced",
        early_stopping=False,
        random_state=seed,
    )
    return Pipeline([("float32", FunctionTransformer(np.float32)), ("hgb", boosted)])


def catboost(seed: int, *, iterations: int = 300, depth: int = 6, rate: float = 0.1, l2: float = 3.0) -> Any:
    """Return CatBoost's classifier.

    Raises:
        ModuleNotFoundError: CatBoost, an extra, is not installed.
    """
    return import_catboost().CatBoostClassifier(
        iterations=iterations,
        depth=depth,
        learning_rate=rate,
        l2_leaf_reg=l2,
        auto_class_weights="Balanced",
        random_seed=seed,
        thread_count=joblib.cpu_count(),
        allow_writing_files=False,
        verbose=False,
    )


def decision_tree(seed: int, *, depth: int | None = None, leaf: int = 1, criterion: str = "gini") -> Pipeline:
    """Return a single decision tree."""
    tree = DecisionTreeClassifier(
        max_depth=depth,
        min_samples_leaf=leaf,
        criterion=criterion,
        class_weight="balanced",
        random_state=seed,
    )
    return Pipeline([("tree", tree)])


def linear_svm(seed: int, *, c: float = 1.0, folds: int = 3) -> Pipeline:
    """Return a linear support vector machine whose distances are calibrated to probabilities."""
    machine = LinearSVC(C=c, class_weight="balanced", random_state=seed, dual=False, tol=1e-3, max_iter=5000)
    calibrated = CalibratedClassifierCV(machine, method="sigmoid", cv=folds, ensemble=False)
    return Pipeline([*_logarithms(), ("svm", calibrated)])


def knn(seed: int, *, neighbours: int = 5) -> Pipeline:
    """Return the k nearest neighbours, the nearer ones weighing more; nothing of it is random."""
    nearest = KNeighborsClassifier(neighbours, weights="distance", algorithm="kd_tree")
    return Pipeline([("log", FunctionTransformer(np.log1p)), ("scaler", MinMaxScaler()), ("knn", nearest)])


def mlp(seed: int, *, width: int = 100, layers: int = 2, alpha: float = 1e-4, epochs: int = 60) -> Pipeline:
    """Return a network of dense layers of one width, halved from layer to layer."""
    network = MLPClassifier(
        tuple(max(width >> layer, 2) for layer in range(layers)),
        alpha=alpha,
        max_iter=epochs,
        random_state=seed,
    )
    return Pipeline([*_logarithms(), ("mlp", network)])


def _logarithms() -> list[tuple[str, Any]]:
    return [("log", FunctionTransformer(np.log1p)), ("scaler", StandardScaler())]
