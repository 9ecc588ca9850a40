"""How kinds of estimators do on KDD99 and NSL-KDD: the training file teaches, the test file judges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from detection.preprocess import clean
from training.dataset import LabelledFlows
from training.estimators import DEFAULT, ESTIMATORS, SEED, predict_proba
from training.evaluation import Evaluation, evaluate
from training.recipe import PREPROCESSING, Recipe, fitted
from training.sources.read import ReadOptions, read_training_data

KINDS: Final = ("decision-tree", "linear-svm", "mlp", DEFAULT)
EVEN_ODDS: Final = 0.5


def read_connections_apart(
    train: str | Path, test: str | Path, nrows: int | None = None
) -> tuple[LabelledFlows, LabelledFlows]:
    """Read a training file, repeated rows dropped, and a test file, with every row, or `nrows` of each.

    Raises:
        OSError: one cannot be read.
        ValueError: one does not hold labelled connections.
    """
    whole = ReadOptions(keep_duplicates=True, nrows=nrows)
    return (
        read_training_data([train], options=ReadOptions(nrows=nrows)),
        read_training_data([test], options=whole),
    )


def connection_figures(
    train: LabelledFlows, test: LabelledFlows, kinds: Sequence[str] = KINDS, seed: int = SEED
) -> Iterator[tuple[str, Evaluation]]:
    """Yield each kind's name and its figures on the test rows: five classes, no `time`, nothing tuned.

    `attacks_flagged` and `benign_flagged` are at even odds.

    Raises:
        ValueError: the two files' features differ, or a kind is none.
    """
    if train.names != test.names:
        raise ValueError("training and test file have different features")
    rows = clean(test.features, PREPROCESSING)
    for name in kinds:
        recipe = Recipe(ESTIMATORS[name], seed=seed)
        estimator = fitted(train, np.ones(len(train), np.bool_), recipe)
        yield (
            name,
            evaluate(
                predict_proba(estimator, rows, test.names),
                recipe.codes(test.codes),
                tuple(int(code) for code in estimator.classes_),
                threshold=EVEN_ODDS,
                train_rows=len(train),
            ),
        )
