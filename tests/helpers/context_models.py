"""A small model that reads host context, fitted on made-up flows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from context.features import CONTEXT_NAMES
from helpers.labelled import labelled_flows
from training.dataset import LabelledFlows
from training.estimators import ESTIMATORS
from training.recipe import Recipe
from training.train import train_model


def flows_with_context(rows: int = 300) -> LabelledFlows:
    """Made-up flows of which every third has no context; one is of no direction but back."""
    plain = labelled_flows(rows)
    random = np.random.default_rng(1)
    context = random.random((rows, len(CONTEXT_NAMES))) * 2 - 1 + plain.codes[:, None] % 2
    context[1, :] = -1.0
    context[::3] = np.nan
    return replace(plain, features=np.hstack([plain.features, context]), names=(*plain.names, *CONTEXT_NAMES))


def make_context_package(directory: Path, estimator: str = "random-forest") -> Path:
    """Write the package of a small model with a forest of five trees that reads context."""
    package = directory / "package"
    train_model(flows_with_context(), package, recipe=Recipe(ESTIMATORS[estimator], {"trees": 5}))
    return package
