"""The registry of estimators: every kind of model that can be trained here, by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight

from flows.labels import ATTACK
from training import deep, makes, novelty
from training.gated import told
from training.imputation import imputing, may_lack
from training.row_hash import repeats

SEED: Final = 42
DEFAULT: Final = "stacked"
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of estimator.

    Attributes:
        name: what `--estimator` calls it.
        title: what it is, for cards and tables.
        make: seed and parameters to an unfitted classifier of scikit-learn's interface.
        space: the parameters that a search varies, and their ranges.
        novelty: it is fitted on benign flows only and answers two classes, benign and attack.
        weighted: it knows no class weights, so that its last step is given weights of rows.
        most_rows: it keeps its training rows, and gets no more than these, of all classes alike.
        learns_from: of more training rows it is fitted on so many, of all classes alike.
        by_activity: of these, half are benign, and of what made flows each has as many.
        takes_nan: it reads NaN: trees as it is, other parts impute it.
        converges: to stop a fit before it converged is a mistake, not a choice.
    """

    name: str
    title: str
    make: Callable[..., Any]
    space: Mapping[str, BaseDistribution] = field(default_factory=dict)
    novelty: bool = False
    weighted: bool = False
    most_rows: int | None = None
    learns_from: int | None = None
    by_activity: bool = False
    takes_nan: bool = False
    converges: bool = True

    def made(self, seed: int = SEED, params: Mapping[str, Any] = _NONE) -> Any:
        """Return an unfitted estimator.

        Raises:
            ValueError: it has no such parameter; names those it has.
        """
        self.check(params)
        return self.make(seed, **params)

    def check(self, params: Mapping[str, Any]) -> None:
        """Check that the kind has such parameters.

        Raises:
            ValueError: it has not; names those it has.
        """
        known = [name for name in signature(self.make).parameters if name != "seed"]
        if unknown := [name for name in params if name not in known]:
            raise ValueError(
                f"{self.name} has no parameter {', '.join(unknown)}; its parameters are {', '.join(known)}"
            )

    def codes(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the classes that n flows have for this kind: a novelty detector tells no attacks apart."""
        return binary(codes) if self.novelty else codes


def binary(codes: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return class codes with all attacks as one, ATTACK."""
    return np.where(codes != 0, ATTACK, 0).astype(np.int32)


def kind_named(name: str) -> Kind:
    """Return a kind.

    Raises:
        ValueError: there is none of this name; names all.
    """
    known = {**ESTIMATORS, **DEEP}
    if name not in known:
        raise ValueError(f"no estimator {name}; there are {', '.join(known)}")
    return known[name]


def fit(
    kind: Kind,
    features: NDArray[np.float64],
    codes: NDArray[np.int32],
    names: tuple[str, ...],
    *,
    seed: int = SEED,
    params: Mapping[str, Any] = _NONE,
    activity: NDArray[np.int32] | None = None,
) -> Any:
    """Return an estimator of a kind, fitted on n x F preprocessed features of the given classes.

    Its `classes_` are sorted codes; those of a novelty detector are benign and ATTACK.

    Args:
        kind: what is fitted.
        features, codes, names: n x F, n and F.
        seed: of all that is random.
        params: where they are not the default.
        activity: a number for what made each flow, where that is known; else its class stands for it.

    Raises:
        ConvergenceWarning: a regression did not converge.
        ValueError: it has no such parameter, or cannot be fitted on these rows.
    """
    estimator = kind.made(seed, params)
    if may_lack(features, names):
        if not kind.takes_nan:
            raise ValueError(f"{kind.name} cannot read what is not known (NaN): {', '.join(TAKES_NAN)} can")
        estimator = imputing(estimator)
    if kind.most_rows is not None:
        rows = evenly(codes, kind.most_rows, seed)
        # Of equal rows one is kept: which of them is the nearer would be chance.
        rows = rows[~repeats(features, np.zeros_like(codes), rows)]
        features, codes = features[rows], codes[rows]
    if kind.learns_from is not None and len(codes) > kind.learns_from:
        made = codes if activity is None else activity
        most = kind.learns_from
        rows = halves(codes, made, most, seed) if kind.by_activity else evenly(codes, most, seed)
        features, codes = features[rows], codes[rows]
    fit_params = {}
    if kind.weighted:
        last = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
        fit_params[f"{last}sample_weight"] = compute_sample_weight("balanced", codes)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if kind.converges else "ignore", ConvergenceWarning)
        estimator.fit(told(framed(features, names)), codes, **fit_params)
    # What is made of scikit-learn's own parts is kept as these.
    return getattr(estimator, "stack_", estimator)


def predict_proba(
    estimator: Any, features: NDArray[np.float64], names: tuple[str, ...]
) -> NDArray[np.float64]:
    """Return a fitted estimator's own n x C probabilities of n x F preprocessed features."""
    answers = estimator.predict_proba(framed(features, names))
    return np.asarray(answers, np.float64)


def framed(features: NDArray[np.float64], names: tuple[str, ...]) -> pd.DataFrame:
    """Return n x F features with their names, without a copy."""
    return pd.DataFrame(features, columns=list(names), copy=False)


def evenly(codes: NDArray[np.int32], most: int, seed: int) -> NDArray[np.intp]:
    """Return at most `most` places of n classes: of each class as many, or all it has."""
    random = np.random.default_rng(seed)
    found, counts = np.unique(codes, return_counts=True)
    left, chosen = most, []
    for place, at in enumerate(np.argsort(counts, kind="stable").tolist()):
        size = min(int(counts[at]), left // (len(found) - place))
        left -= size
        chosen.append(random.permutation(np.flatnonzero(codes == found[at]))[:size])
    return np.sort(np.concatenate(chosen))


def halves(codes: NDArray[np.int32], made: NDArray[np.int32], most: int, seed: int) -> NDArray[np.intp]:
    """Return at most `most` places of n flows, half of them benign; of all that `made` either half alike."""
    sides = [np.flatnonzero(codes == 0), np.flatnonzero(codes != 0)]
    least = min(len(side) for side in sides)
    half = max(most // 2, most - least)
    return np.sort(np.concatenate([side[evenly(made[side], half, seed)] for side in sides]))


_TREES: Final = IntDistribution(50, 300, step=50)
_DEPTH: Final = IntDistribution(8, 40, step=4)
_LEAF: Final = IntDistribution(1, 10)
_SHARE: Final = CategoricalDistribution(("sqrt", 0.2, 0.4, 0.6))
_REGULARISATION: Final = FloatDistribution(1e-3, 1e3, log=True)
_RATE: Final = FloatDistribution(0.02, 0.3, log=True)
_FOREST: Final = {"trees": _TREES, "depth": _DEPTH, "leaf": _LEAF, "features": _SHARE}

_KINDS: Final = (
    Kind(
        "stacked",
        "a random forest and a logistic regression, stacked by a logistic regression",
        makes.stacked,
        {"trees": _TREES, "depth": _DEPTH, "leaf": _LEAF, "features": _SHARE, "c": _REGULARISATION},
        learns_from=makes.STACKED_ROWS,
        takes_nan=True,
    ),
    Kind(
        "stacked-five",
        "forests, a logistic regression and a network, stacked by a logistic regression",
        makes.stacked_five,
        {"trees": _TREES, "depth": _DEPTH, "leaf": _LEAF, "features": _SHARE, "c": _REGULARISATION},
        learns_from=makes.STACKED_ROWS,
        takes_nan=True,
        converges=False,
    ),
    Kind(
        "gated",
        "boosted trees that tell attacks from the rest, and a forest that tells their kinds",
        makes.gated,
        {"rounds": IntDistribution(50, 200, step=50), "rate": _RATE, "leaves": IntDistribution(7, 63)},
        learns_from=makes.GATED_ROWS,
        by_activity=True,
        takes_nan=True,
    ),
    Kind("random-forest", "a random forest", makes.random_forest, _FOREST, takes_nan=True),
    Kind("extra-trees", "extremely randomised trees", makes.extra_trees, _FOREST, takes_nan=True),
    Kind(
        "gradient-boosting",
        "gradient boosting over histograms",
        makes.gradient_boosting,
        {"rounds": IntDistribution(50, 400, step=50), "rate": _RATE, "leaves": IntDistribution(7, 63)},
        takes_nan=True,
    ),
    Kind(
        "catboost",
        "CatBoost's gradient boosting",
        makes.catboost,
        {
            "iterations": IntDistribution(100, 1000, step=100),
            "depth": IntDistribution(4, 10),
            "rate": _RATE,
            "l2": FloatDistribution(1.0, 10.0),
        },
        takes_nan=True,
    ),
    Kind(
        "decision-tree",
        "a decision tree",
        makes.decision_tree,
        {
            "depth": IntDistribution(4, 40),
            "leaf": _LEAF,
            "criterion": CategoricalDistribution(("gini", "entropy")),
        },
        takes_nan=True,
    ),
    Kind(
        "linear-svm",
        "a linear support vector machine with calibrated probabilities",
        makes.linear_svm,
        {"c": _REGULARISATION},
        takes_nan=True,
    ),
    Kind(
        "knn",
        "the nearest of stored training flows",
        makes.knn,
        {"neighbours": IntDistribution(1, 25)},
        most_rows=makes.STORED_ROWS,
        takes_nan=True,
    ),
    Kind(
        "mlp",
        "a neural network of dense layers",
        makes.mlp,
        {
            "width": IntDistribution(16, 256, log=True),
            "layers": IntDistribution(1, 3),
            "alpha": FloatDistribution(1e-6, 1e-1, log=True),
        },
        weighted=True,
        takes_nan=True,
        converges=False,
    ),
    Kind(
        "isolation-forest",
        "an isolation forest of benign flows",
        novelty.IsolationNovelty,
        {"trees": _TREES, "samples": IntDistribution(128, 4096, log=True)},
        novelty=True,
        takes_nan=True,
    ),
    Kind(
        "autoencoder",
        "an autoencoder of benign flows",
        novelty.AutoencoderNovelty,
        {"width": IntDistribution(16, 128, log=True), "bottleneck": IntDistribution(2, 16)},
        novelty=True,
        takes_nan=True,
        converges=False,
    ),
)
ESTIMATORS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in _KINDS})
TAKES_NAN: Final = tuple(kind.name for kind in _KINDS if kind.takes_nan)
"""Kinds that read NaN."""

DEEP: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "cnn": Kind(
            "cnn",
            "a convolution over the features",
            deep.Convolution,
            {"width": IntDistribution(8, 32, step=8), "rate": FloatDistribution(1e-4, 1e-2, log=True)},
            weighted=True,
        )
    }
)
"""Kinds that need torch, which is not installed with the others."""
