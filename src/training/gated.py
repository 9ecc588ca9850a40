"""Trees that tell attacks from the rest, and a forest that tells their kinds, as one classifier.

Most of what hosts did before a flow speaks for an attack the more of it there is: more flows, more ports,
more of them unanswered. The first part is held to that. What boosting learns of one network's own habits,
that a host with 300 flows a second is harmless there and one with 200 is not, does not last elsewhere.

Where some rows know what hosts did and others do not, gates that read all of it learn attacks from the former
alone. So others, which read flows by themselves, learn from the latter, and the more suspicious of both sorts
counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from context.features import CONTEXT_NAMES

Floats = NDArray[np.float64]

RATIO: Final = "asymmetry"
RISING: Final = frozenset(name for name in CONTEXT_NAMES if RATIO not in name)
"""What never speaks against an attack: counts and shares, not which side sent more."""

LARGE: Final = 1e9
"""log(1 + LARGE p) - log(LARGE) stands for log(p): so much off, but finite at 0."""

EVENNESS: Final = 0.7
"""Classes of n flows weigh n ** -EVENNESS a flow: 0 leaves them as many as they are, 1 makes all alike."""

PART: Final = 0.5
"""Each gate is fitted on so many of the rows: where they differ, one network's habits speak."""

DISCOUNT: Final = 1.0
"""By so much of log(p / (1 - p)) gates that read flows alone are believed less."""


class Gated(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits the parts and joins them: P(attack) is the gates', shared out as the forest says.

    The gates are boosted trees, each fitted on other rows; of the odds of one sort the geometric mean counts,
    and of both sorts the higher one.

    Attributes:
        stack_: the fitted classifier, of scikit-learn's own parts.
    """

    stack_: Any

    def __init__(
        self,
        seed: int = 0,
        *,
        gates: int = 3,
        rounds: int = 60,
        rate: float = 0.1,
        leaves: int = 31,
        leaf: int = 20,
        share: float = 0.3,
        trees: int = 50,
        depth: int | None = 20,
        jobs: int | None = None,
    ) -> None:
        self.seed = seed
        self.gates = gates
        self.rounds = rounds
        self.rate = rate
        self.leaves = leaves
        self.leaf = leaf
        self.share = share
        self.trees = trees
        self.depth = depth
        self.jobs = jobs

    def fit(self, features: Any, codes: NDArray[np.int32]) -> Self:
        """Fit on a frame of n x F features, NaN among them, and n codes, 0 being benign.

        Raises:
            ValueError: there is no benign row, or no other.
        """
        known = np.unique(codes)
        if known[0] != 0 or len(known) < 2:
            raise ValueError("needs benign flows and attacks")
        codes = np.asarray(codes)
        attack = codes != 0
        if len(known) == 2:
            # One kind of attack needs no telling apart, and scikit-learn stacks no 1 - p of two classes.
            trees = self._trees(features, self.seed)
            self.stack_ = trees.fit(features, codes, trees__sample_weight=_weights(codes))
        else:
            gates = self._gates(features, codes)
            rows = _without_context(features, attack)
            alone = self._gates(_alone(features.iloc[rows]), codes[rows]) if len(rows) else []
            kinds = self._kinds().fit(features[attack], codes[attack])
            first = np.unique(codes, return_index=True)[1]
            self.stack_ = _joined(gates, alone, kinds, features.iloc[first], known)
        self.classes_ = self.stack_.classes_
        return self

    def predict_proba(self, features: Any) -> Floats:
        """Return n x C probabilities."""
        return cast(Floats, self.stack_.predict_proba(features))

    def predict(self, features: Any) -> NDArray[np.int32]:
        """Return the likeliest class of n rows."""
        return cast(NDArray[np.int32], self.stack_.predict(features))

    def _gates(self, features: Any, codes: NDArray[np.int32]) -> list[Pipeline]:
        return [self._gate(features, codes, self.seed + number) for number in range(self.gates)]

    def _gate(self, features: Any, codes: NDArray[np.int32], seed: int) -> Pipeline:
        rows = _part(codes, seed)
        weights = _weights(codes[rows])
        gate = self._trees(features, seed)
        return gate.fit(told(features.iloc[rows]), codes[rows] != 0, trees__sample_weight=weights)

    def _trees(self, features: Any, seed: int) -> Pipeline:
        trees = HistGradientBoostingClassifier(
            max_iter=self.rounds,
            learning_rate=self.rate,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.leaf,
            max_features=self.share,
            monotonic_cst=[int(name in RISING) for name in features.columns],
            early_stopping=False,
            random_state=seed,
        )
        return Pipeline([("float32", FunctionTransformer(np.float32)), ("trees", trees)])

    def _kinds(self) -> RandomForestClassifier:
        return RandomForestClassifier(
            self.trees,
            max_depth=self.depth,
            class_weight="balanced",
            random_state=self.seed,
            n_jobs=self.jobs,
        )


def told(features: Any) -> Any:
    """Return a frame with 0 in the columns of which nothing is known: boosting cannot bin these."""
    nothing = features.columns[features.isna().all()]
    return features.assign(**dict.fromkeys(nothing, 0.0)) if len(nothing) else features


def _without_context(features: Any, attack: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the rows for gates that read flows alone: attacks without context, and all that is benign.

    None, unless there are attacks of both sorts.
    """
    context = features.columns.intersection(CONTEXT_NAMES)
    unknown = features[context].isna().all(axis=1).to_numpy() & attack
    return np.flatnonzero(unknown | ~attack) if 0 < unknown.sum() < attack.sum() else np.empty(0, np.intp)


def _alone(features: Any) -> Any:
    """Return flows of which nothing is known but themselves."""
    return features.assign(**dict.fromkeys(features.columns.intersection(CONTEXT_NAMES), np.nan))


def _part(codes: NDArray[np.int32], seed: int) -> NDArray[np.intp]:
    """Return PART of n rows, of every class at least one."""
    random = np.random.default_rng(seed)
    rows = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    taken = [random.permutation(each)[: max(round(PART * len(each)), 1)] for each in rows]
    return np.sort(np.concatenate(taken))


def _weights(codes: NDArray[np.int32]) -> Floats:
    """Return the weights of n rows: benign ones weigh as much as attacks, rare classes more than common."""
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    weights = counts[place].astype(np.float64) ** -EVENNESS
    for side in (codes == 0, codes != 0):
        weights[side] *= len(codes) / (2 * weights[side].sum())
    return weights


def _joined(
    gates: Sequence[Pipeline],
    alone: Sequence[Pipeline],
    kinds: RandomForestClassifier,
    rows: Any,
    known: NDArray[np.int32],
) -> Any:
    """Return the classifier of G + A fitted gates and a forest, by softmax of logarithms.

    Those are 0 of benign, of an attack log(odds) + log(kind); of the odds see `_louder`.

    Args:
        gates: each answers 1 - p and p.
        alone: the same, of flows alone; there may be none.
        kinds: answers the C - 1 kinds of attacks.
        rows: one of each class, as scikit-learn has no stack that was not fitted.
        known: the C classes.
    """
    inputs = 2 * (len(gates) + len(alone)) + len(known) - 1
    choice = Pipeline(
        [
            ("large", MinMaxScaler()),
            ("log", FunctionTransformer(np.log1p)),
            ("choice", MLPClassifier(inputs + 1, max_iter=9, tol=1e9, n_iter_no_change=1)),
        ]
    )
    parts = [(f"gate{number}", gate) for number, gate in enumerate([*gates, *alone])]
    stack = StackingClassifier([*parts, ("kinds", kinds)], choice, cv="prefit").fit(rows, known)
    large, _, chosen = (part for _, part in stack.final_estimator_.steps)
    large.scale_, large.min_ = np.full(inputs, LARGE), np.zeros(inputs)
    chosen.coefs_, chosen.intercepts_ = _louder(len(gates), len(alone), len(known) - 1)
    return stack


def _louder(gates: int, alone: int, kinds: int) -> tuple[list[Floats], list[Floats]]:
    """Return weights and biases of two layers that let the more suspicious sort of gates speak.

    With g and a the means of log(p / (1 - p)) of both sorts, the first layer has, after the logarithms it
    reads, which are not negative, max(0, g - a + DISCOUNT); a - DISCOUNT more is the greater one. Without
    gates of flows alone a is g.
    """
    pairs = gates + alone
    inputs = 2 * pairs + kinds
    mean, other = np.zeros(inputs), np.zeros(inputs)
    mean[: 2 * gates] = np.tile([-1.0, 1.0], gates) / gates
    other[2 * gates : 2 * pairs] = np.tile([-1.0, 1.0], alone) / max(alone, 1)
    if not alone:
        other = mean
    first = np.column_stack([np.eye(inputs), mean - other])
    second = np.zeros((inputs + 1, kinds + 1))
    second[:inputs, 1:] = other[:, None]
    second[2 * pairs : inputs, 1:] = np.eye(kinds)
    second[inputs, 1:] = 1.0
    shift = np.append(np.zeros(inputs), DISCOUNT)
    return [first, second], [shift, np.append(0.0, np.full(kinds, -log(LARGE) - DISCOUNT))]
