"""One training, from flows to a package: search, threshold, figures, fit, card."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import floor
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detection.calibration import lowest_threshold
from detection.preprocess import clean
from detection.record import ModelRecord
from detection.scorer import Scorer
from flows.table import UNKNOWN_TIME
from training.baseline import Baseline, joined
from training.compiling import compiled
from training.dataset import LabelledFlows
from training.estimators import predict_proba
from training.evaluation import Evaluation
from training.recipe import (
    BENIGN_SHARE,
    DEFAULT_RECIPE,
    TRAIN_SHARE,
    Recipe,
    draft_record,
    evaluated,
    fitted,
    preprocessing,
    write_model,
)
from training.search import Bounds, search
from training.splits import stratified, time_ordered
from training.tracking import flows_sha256
from training.train_card import card

TIME_ORDERED: Final = "time-ordered split"
RANDOM: Final = "random split"
STAGES: Final = 3
"""How many stages a training has; a search is one more."""

logger = logging.getLogger(__name__)
Stage = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """What was found.

    Attributes:
        record: the record of the model.
        recipe: what was fitted, with the parameters that a search found.
        split: how the base set was split for the figures.
        evaluation: of another model of the same make, on the part of the base set it was not fitted on.
        held: how many benign flows the threshold was chosen on.
        flagged: the share of them at or above it.
        champion_flagged: the share of the baseline's held-out flows that the model that serves flags at its
            own threshold; None without one, or without a baseline.
    """

    record: ModelRecord
    recipe: Recipe
    split: str
    evaluation: Evaluation
    held: int
    flagged: float
    champion_flagged: float | None


def train_model(
    base: LabelledFlows,
    out: Path,
    *,
    recipe: Recipe = DEFAULT_RECIPE,
    baseline: Baseline | None = None,
    champion: Scorer | None = None,
    bounds: Bounds | None = None,
    stage: Stage = logger.info,
) -> Trained:
    """Search, fit, choose the threshold, measure, and write the package.

    The threshold is the lowest that flags at most BENIGN_SHARE of benign flows that were not fitted on: the
    baseline's later ones, or, without a baseline, those of the base set's split. Where none does, because
    the model is sure that more are attacks, it is 1.

    Args:
        base: labelled flows, attacks among them.
        out: the package; what is there is replaced.
        recipe: what is fitted.
        baseline: the operator's own benign flows, of the same dialect.
        champion: the model that serves, for comparison.
        bounds: of a search for better parameters; None for none.
        stage: told what begins.

    Raises:
        OSError: the package cannot be written.
        ValueError: dialects differ, the base set has no benign flow or no attack, or the estimator cannot be
            fitted on it.
    """
    _check(base, baseline)
    split, train = split_rows(base, recipe.seed)
    if bounds is not None:
        stage(f"searching for parameters, {bounds}")
        recipe = replace(recipe, params={**recipe.params, **search(base.take(train), recipe, bounds)})
    flows = base if baseline is None else joined(base, baseline)
    train = np.concatenate([train, np.ones(len(flows) - len(base), np.bool_)])
    stage(f"fitting on {int(train.sum()):,} flows, for the figures")
    measured = fitted(flows, train, recipe)
    stage(f"fitting on {len(flows):,} flows, for use")
    pipeline = fitted(flows, np.ones(len(flows), np.bool_), recipe)
    draft = draft_record(flows, pipeline, recipe).model_copy(update={"measured_on": flows_sha256(base)})
    scorer = Scorer(compiled(pipeline), draft)
    stage("measuring, and checking the package")
    scores = _held_scores(flows, train, measured, baseline, scorer)
    threshold = _threshold(scores)
    evaluation = evaluated(flows, train, threshold, recipe, measured)
    trained = Trained(
        record=_record(scorer.record, threshold, split, evaluation, scores, baseline),
        recipe=recipe,
        split=split,
        evaluation=evaluation,
        held=len(scores),
        flagged=float((scores >= threshold).mean()),
        champion_flagged=_champion_flagged(champion, baseline),
    )
    write_model(pipeline, flows, trained.record, card(trained, base, baseline), out)
    return trained


def split_rows(flows: LabelledFlows, seed: int) -> tuple[str, NDArray[np.bool_]]:
    """Return which rows are for fitting, and what the split is called: by time where it is known."""
    if (flows.start_us != UNKNOWN_TIME).all():
        return TIME_ORDERED, time_ordered(flows.codes, TRAIN_SHARE)
    return RANDOM, stratified(flows.codes, TRAIN_SHARE, seed)


def _held_scores(
    flows: LabelledFlows,
    train: NDArray[np.bool_],
    measured: object,
    baseline: Baseline | None,
    scorer: Scorer,
) -> NDArray[np.float64]:
    """Return P(attack) of benign flows that the model was not fitted on."""
    if baseline is not None:
        return scorer.score(baseline.held).p_attack
    benign = clean(flows.features[~train & (flows.codes == 0)], preprocessing(flows.names))
    return 1.0 - predict_proba(measured, benign, flows.names)[:, scorer.record.benign_column]


def _threshold(scores: NDArray[np.float64]) -> float:
    """Return the lowest threshold that flags few enough; 1 where a model is as sure of more of them."""
    try:
        return lowest_threshold(scores, floor(BENIGN_SHARE * len(scores)))
    except ValueError:
        return 1.0


def _record(
    draft: ModelRecord,
    threshold: float,
    split: str,
    evaluation: Evaluation,
    scores: NDArray[np.float64],
    baseline: Baseline | None,
) -> ModelRecord:
    figures = {f"{split}/{name}": value for name, value in evaluation.metrics().items()}
    if baseline is not None:
        figures["baseline/benign flagged"] = float((scores >= threshold).mean())
    return draft.model_copy(update={"threshold": threshold, "figures": figures})


def _champion_flagged(champion: Scorer | None, baseline: Baseline | None) -> float | None:
    if champion is None or baseline is None or champion.missing(baseline.held.feature_names):
        return None
    return float(champion.score(baseline.held).is_attack.mean())


def _check(base: LabelledFlows, baseline: Baseline | None) -> None:
    if baseline is not None and baseline.held.dialect != base.dialect:
        raise ValueError(
            f"the baseline was measured in dialect {baseline.held.dialect}, the base set in {base.dialect}: "
            "measure both alike"
        )
    if not (base.codes == 0).any() or not (base.codes != 0).any():
        raise ValueError("the base set needs benign flows and attacks")
