"""Trees that tell attacks from the rest, and a forest that tells their kinds, as one classifier.

Most of what hosts did before a flow speaks for an attack the more of it there is: more flows, more ports,
more of them unanswered. The first part is held to that. What boosting learns of one network's own habits,
that a host with 300 flows a second is harmless there and one with 200 is not, does not last elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
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


class Gated(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Fits the parts and joins them: P(attack) is the gates', shared out as the forest says.

    The gates are boosted trees, each fitted on other rows; of their odds the geometric mean counts.

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
        trees: int = 100,
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
            gates = [self._gate(features, codes, self.seed + number) for number in range(self.gates)]
            kinds = self._kinds().fit(features[attack], codes[attack])
            first = np.unique(codes, return_index=True)[1]
            self.stack_ = _joined(gates, kinds, features.iloc[first], known)
        self.classes_ = self.stack_.classes_
        return self

    def predict_proba(self, features: Any) -> Floats:
        """Return n x C probabilities."""
        return cast(Floats, self.stack_.predict_proba(features))

    def predict(self, features: Any) -> NDArray[np.int32]:
        """Return the likeliest class of n rows."""
        return cast(NDArray[np.int32], self.stack_.predict(features))

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
    gates: Sequence[Pipeline], kinds: RandomForestClassifier, rows: Any, known: NDArray[np.int32]
) -> Any:
    """Return the classifier of G fitted gates and a forest, by softmax of logarithms.

    Those are, summed up, of benign the mean of log(1 - p), of an attack the mean of log(p) + log(kind).

    Args:
        gates: each answers 1 - p and p.
        kinds: answers the C - 1 kinds of attacks.
        rows: one of each class, as scikit-learn has no stack that was not fitted.
        known: the C classes.
    """
    choice = Pipeline(
        [
            ("large", MinMaxScaler()),
            ("log", FunctionTransformer(np.log1p)),
            ("choice", LogisticRegression(tol=1.0)),
        ]
    )
    parts = [*((f"gate{number}", gate) for number, gate in enumerate(gates)), ("kinds", kinds)]
    stack = StackingClassifier(parts, choice, cv="prefit").fit(rows, known)
    attacks, pairs = len(known) - 1, len(gates)
    columns = 2 * pairs + attacks
    large, _, chosen = (part for _, part in stack.final_estimator_.steps)
    large.scale_, large.min_ = np.full(columns, LARGE), np.zeros(columns)
    chosen.coef_ = np.zeros((len(known), columns))
    chosen.coef_[0, 0 : 2 * pairs : 2] = 1.0 / pairs
    chosen.coef_[1:, 1 : 2 * pairs : 2] = 1.0 / pairs
    chosen.coef_[1:, 2 * pairs :] = np.eye(attacks)
    chosen.intercept_ = np.append(0.0, np.full(attacks, -log(LARGE)))
    return stack
