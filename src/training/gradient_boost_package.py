"""The gradient boosting of `make train_local` as a package, which the service serves itself."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from detection.catboost_model import BEYOND, FILLING, CatBoostModel, Filling
from detection.package import write_package
from detection.preprocess import clean
from detection.record import BenignQuantiles, ModelRecord, Preprocessing
from flows.labels import ATTACK, BY_CODE
from flows.schema import schema_id
from training.dataset import LabelledFlows
from training.golden import golden_rows
from training.gradient_boost import MAY_BE_NEGATIVE, Boosted, Floats
from training.markdown import bullets

CLASSES: Final = (0, ATTACK)
GOLDEN_ROWS: Final = 256
AS_IT_IS: Final = Preprocessing(nan=None, infinity=BEYOND, minimum=-BEYOND, maximum=BEYOND)
"""Missing values are the model's own business, see `Filling`."""


def write_gradient_boost_package(boosted: Boosted, train: LabelledFlows, directory: Path) -> None:
    """Write a package that answers as the MLflow model does, with probabilities.

    Args:
        boosted: the classifier; its medians become metadata of it.
        train: what it learned from.
        directory: made when it is not there.

    Raises:
        OSError: it cannot be written.
    """
    medians = np.array([boosted.medians.get(name, np.nan) for name in boosted.columns])
    negative = np.array([name in MAY_BE_NEGATIVE for name in boosted.columns])
    filling = Filling(medians, negative)
    boosted.classifier.get_metadata()[FILLING] = filling.to_json()
    rows = train.features[:, [train.names.index(name) for name in boosted.columns]]
    golden = golden_rows(filling.fill(rows), train.codes, GOLDEN_ROWS, 0)
    record = _record(boosted, train, filling.fill(clean(rows[train.codes == 0], AS_IT_IS)))
    expected = boosted.classifier.predict_proba(filling.fill(clean(golden, AS_IT_IS)))
    write_package(
        directory,
        CatBoostModel(boosted.classifier),
        record,
        golden_rows=golden,
        golden_probabilities=expected,
        card=_card(boosted, train),
    )


def _record(boosted: Boosted, train: LabelledFlows, benign: Floats) -> ModelRecord:
    return ModelRecord(
        record_format=1,
        description="Gradient boosting as cstub/ml-ids trains it, attack or benign",
        features=boosted.columns,
        schema_id=schema_id(boosted.columns),
        dialect=train.dialect,
        classes=CLASSES,
        class_names=tuple(BY_CODE[code].name for code in CLASSES),
        preprocessing=AS_IT_IS,
        threshold=0.5,
        insufficient=None,
        benign_quantiles=BenignQuantiles.of(benign),
        figures={f"test/{name}": value for name, value in boosted.metrics.items()},
        estimator="gradient_boost",
    )


def _card(boosted: Boosted, train: LabelledFlows) -> str:
    attacks = int((train.codes != 0).sum())
    facts = [
        f"Learned from {len(train):,} flows of dialect {train.dialect}, {attacks:,} of them attacks.",
        f"Reads {len(boosted.columns)} features; missing values of {len(boosted.medians)} become the median.",
        *(f"{name} on the test flows: {value:.4f}" for name, value in boosted.metrics.items()),
        "A random split of one network's flows: expect less elsewhere.",
    ]
    return "# Gradient boosting, attack or benign\n\n" + bullets(facts)
