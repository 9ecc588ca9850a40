"""One kind of estimator on one split of labelled flows, or on flows of another network."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detection.calibration import lowest_threshold
from detection.preprocess import clean
from flows.labels import ATTACK
from training.dataset import LabelledFlows, joined
from training.estimators import SEED, Kind, binary, fit, predict_proba
from training.evaluation import Evaluation, evaluate
from training.recipe import TRAIN_SHARE, preprocessing
from training.report.curves import ALLOWED_SHARE, Curves, curves, recall_at
from training.report.disputed import beside_attacks
from training.splits import Split, training_rows

INNER_SHARE: Final = 0.8
EVEN_ODDS: Final = 0.5
NO_PARAMS: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted estimator of a kind.

    Attributes:
        classes: the codes of its C classes.
        seconds: how long the fit took.
    """

    kind: Kind
    estimator: Any
    names: tuple[str, ...]
    classes: tuple[int, ...]
    seconds: float

    def probabilities(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return n x C probabilities of n x F raw features."""
        return predict_proba(self.estimator, clean(features, preprocessing(self.names)), self.names)

    def p_attack(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return 1 - P(benign) of n x F raw features."""
        if not len(features):
            return np.empty(0)
        answers: NDArray[np.float64] = 1.0 - self.probabilities(features)[:, self.classes.index(0)]
        return answers


@dataclass(frozen=True, slots=True)
class Measured:
    """What was found.

    Attributes:
        on: the split, or the other flows.
        seconds: how long the fit took.
        threshold_known: whether the operating threshold was chosen on training rows; else it is EVEN_ODDS.
        evaluation: at that threshold.
        curves: over all thresholds.
        disputed: how many benign rows are `beside_attacks`.
        recall_undisputed: `curves.recall_at_allowed` without these rows.
    """

    on: str
    seconds: float
    threshold_known: bool
    evaluation: Evaluation
    curves: Curves
    disputed: int = 0
    recall_undisputed: float = 0.0

    def metrics(self) -> dict[str, float]:
        """Return the figures by name, below `on`, as MLflow allows metrics to be named."""
        named = self.evaluation.metrics() | {
            "average precision": self.curves.average_precision,
            "attack recall at 0.1 percent false positives": self.curves.recall_at_allowed,
            "brier": self.curves.brier,
        }
        if self.threshold_known:
            named |= {
                "attack flows flagged": self.evaluation.attacks_flagged,
                "benign flows flagged": self.evaluation.benign_flagged,
            }
        return {f"{self.on}/{name}": value for name, value in named.items()}


@dataclass(frozen=True, slots=True)
class Answers:
    """What a fitted estimator answered, for those who want to look closer: n test rows, n x C."""

    fitted: Fitted
    tested: NDArray[np.int64]
    probabilities: NDArray[np.float64]


def fitted(
    flows: LabelledFlows,
    kind: Kind,
    *,
    seed: int = SEED,
    params: Mapping[str, Any] = NO_PARAMS,
    beside: LabelledFlows | None = None,
) -> Fitted:
    """Return an estimator of a kind, fitted on all of n flows, and on those of another set beside them."""
    flows = flows if beside is None else joined([flows, beside])
    began = time.perf_counter()
    features = clean(flows.features, preprocessing(flows.names))
    estimator = fit(
        kind,
        features,
        kind.codes(flows.codes),
        flows.names,
        seed=seed,
        params=params,
        activity=flows.made,
    )
    classes = tuple(int(code) for code in np.ravel(estimator.classes_).tolist())
    return Fitted(kind, estimator, flows.names, classes, time.perf_counter() - began)


def measured(
    flows: LabelledFlows,
    kind: Kind,
    split: Split,
    *,
    share: float = TRAIN_SHARE,
    seed: int = SEED,
    params: Mapping[str, Any] = NO_PARAMS,
    choose_threshold: bool = True,
    beside: LabelledFlows | None = None,
) -> tuple[Measured, Answers]:
    """Return the figures of a kind fitted on a split's training rows, on its other rows.

    Args:
        flows: labelled flows.
        kind, params: what is fitted.
        split: how rows are parted.
        share: of the rows for training.
        seed: of the split and of the estimator.
        choose_threshold: fit another one on a part of the training rows, parted in the same way, and choose
            the operating threshold on the rest: it flags at most ALLOWED_SHARE of the benign rows there.
        beside: flows of another set, from which all learn and on which none is measured.

    Raises:
        ValueError: the flows do not tell what the split goes by.
    """
    train = training_rows(flows, split, share, seed)
    known = flows.take(train)
    given: dict[str, Any] = {"seed": seed, "params": params, "beside": beside}
    chosen = threshold_within(known, kind, split, **given) if choose_threshold else None
    found = fitted(known, kind, **given)
    tested = np.flatnonzero(~train)
    probabilities = found.probabilities(flows.features[tested])
    figures = figures_of(
        str(split), found, probabilities, kind.codes(flows.codes[tested]), chosen, len(known)
    )
    figures = _with_undisputed(figures, found, probabilities, flows, tested)
    return figures, Answers(found, tested, probabilities)


def _with_undisputed(
    figures: Measured,
    found: Fitted,
    probabilities: NDArray[np.float64],
    flows: LabelledFlows,
    tested: NDArray[np.int64],
) -> Measured:
    """Return the figures with those of the rows whose label nobody doubts."""
    doubted = beside_attacks(flows)[tested]
    kept = ~doubted
    p_attack = 1.0 - probabilities[kept, found.classes.index(0)]
    attack = flows.codes[tested[kept]] != 0
    recall = recall_at(p_attack, attack) if not attack.all() else 0.0
    return replace(figures, disputed=int(doubted.sum()), recall_undisputed=recall)


def threshold_within(
    flows: LabelledFlows,
    kind: Kind,
    split: Split,
    *,
    seed: int,
    params: Mapping[str, Any],
    beside: LabelledFlows | None = None,
) -> float | None:
    """Return the operating threshold that training rows alone give; None when they are too few for one."""
    try:
        inner = training_rows(flows, split, INNER_SHARE, seed)
    except ValueError:
        return None
    found = fitted(flows.take(inner), kind, seed=seed, params=params, beside=beside)
    benign = flows.features[~inner & (flows.codes == 0)]
    try:
        return lowest_threshold(found.p_attack(benign), floor(ALLOWED_SHARE * len(benign)))
    except ValueError:
        return None


def elsewhere(found: Fitted, other: LabelledFlows, on: str, threshold: float | None, rows: int) -> Measured:
    """Return the figures of a fitted estimator on flows of another network.

    Where these have attacks of no known kind, attack and benign are all that is told apart.

    Args:
        found: fitted on `rows` flows.
        other: labelled flows with the same features.
        on: what to call them.
        threshold: the operating threshold, None for none.
        rows: how many flows it was fitted on.
    """
    probabilities, codes = found.probabilities(other.features), found.kind.codes(other.codes)
    if ATTACK in codes and found.classes != (0, ATTACK):
        benign = probabilities[:, found.classes.index(0)]
        two = Fitted(found.kind, found.estimator, found.names, (0, ATTACK), found.seconds)
        return figures_of(on, two, np.column_stack([benign, 1.0 - benign]), binary(codes), threshold, rows)
    return figures_of(on, found, probabilities, codes, threshold, rows)


def figures_of(
    on: str,
    found: Fitted,
    probabilities: NDArray[np.float64],
    codes: NDArray[np.int32],
    threshold: float | None,
    rows: int,
) -> Measured:
    """Return the figures of n x C probabilities on n flows.

    Args:
        on: what the flows are called.
        found: what answered, fitted on `rows` flows.
        probabilities: its answers.
        codes: the true classes.
        threshold: the operating threshold, None for none.
        rows: how many flows it was fitted on.
    """
    p_attack = 1.0 - probabilities[:, found.classes.index(0)]
    evaluation = evaluate(
        probabilities,
        codes,
        found.classes,
        threshold=EVEN_ODDS if threshold is None else threshold,
        train_rows=rows,
    )
    return Measured(on, found.seconds, threshold is not None, evaluation, curves(p_attack, codes != 0))
