"""A bounded search for better parameters, by Optuna."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import optuna
from sklearn.metrics import average_precision_score, f1_score

from detection.preprocess import clean
from flows.table import UNKNOWN_TIME
from training.dataset import LabelledFlows
from training.estimators import evenly, predict_proba
from training.recipe import TRAIN_SHARE, Recipe, fitted, preprocessing
from training.splits import stratified, time_ordered

MOST_FLOWS: Final = 20_000
"""A search looks at so many flows, of all classes alike: it compares, it does not measure."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a search ends, whichever comes first.

    Attributes:
        trials: so many parameters were tried.
        seconds: so much time has passed; the trial that runs is finished.
    """

    trials: int
    seconds: float = 3600.0

    def __str__(self) -> str:
        return f"at most {self.trials} trials and {self.seconds:g} s"


def search(flows: LabelledFlows, recipe: Recipe, bounds: Bounds) -> dict[str, Any]:
    """Return the parameters of the recipe's kind that do best on flows it was not fitted on.

    None when no trial does better than the recipe as it is. What counts is macro F1, of novelty detectors
    the average precision.

    Args:
        flows: to fit and measure on; the flows that a model is judged by are not among them.
        recipe: where the search begins; its parameters stay unless the search varies them.
        bounds: when it ends.
    """
    flows = flows.take(evenly(flows.codes, MOST_FLOWS, recipe.seed))
    began = time.monotonic()
    best, found = _quality(flows, recipe), dict[str, Any]()
    logger.info("as it is: %.4f", best)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=recipe.seed)
        )
        for number in range(bounds.trials if recipe.kind.space else 0):
            if time.monotonic() - began > bounds.seconds:
                break
            trial = study.ask(dict(recipe.kind.space))
            quality = _quality(flows, replace(recipe, params={**recipe.params, **trial.params}))
            study.tell(trial, quality)
            logger.info("trial %d: %.4f with %s", number + 1, quality, trial.params)
            if quality > best:
                best, found = quality, dict(trial.params)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return found


def _quality(flows: LabelledFlows, recipe: Recipe) -> float:
    """Return how well a recipe does on the part of the flows that it was not fitted on."""
    known = (flows.start_us != UNKNOWN_TIME).all()
    train = (
        time_ordered(flows.codes, TRAIN_SHARE) if known else stratified(flows.codes, TRAIN_SHARE, recipe.seed)
    )
    estimator = fitted(flows, train, recipe)
    features = clean(flows.features[~train], preprocessing(flows.names))
    probabilities = predict_proba(estimator, features, flows.names)
    codes = recipe.codes(flows.codes[~train])
    if recipe.kind.novelty:
        return float(average_precision_score(codes != 0, 1.0 - probabilities[:, 0]))
    labels = np.asarray(estimator.classes_)[probabilities.argmax(axis=1)]
    return float(f1_score(codes, labels, average="macro", zero_division=0.0))
