"""Detectors of novelty that know the flows of class 17 only, so that typical benign ones are new to them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from detection.compiled import CompiledModel
from detection.package import write_package
from detection.preprocess import clean
from detection.record import ModelRecord
from detection.scorer import Scorer
from flows.labels import ATTACK
from helpers.models import golden_rows, made_up_flows, make_record
from training.compiling import compiled
from training.novelty import IsolationNovelty


@lru_cache
def _fitted() -> tuple[IsolationNovelty, float]:
    """The estimator, and the highest p of what it knows."""
    rows, _ = made_up_flows(300, classes=(17,))
    detector = IsolationNovelty(0, trees=20).fit(rows, np.zeros(len(rows), np.int32))
    return detector, float(detector.predict_proba(rows)[:, 1].max())


def detector_record() -> ModelRecord:
    return make_record(classes=(0, ATTACK), threshold=_fitted()[1] + 1e-9)


def make_detector(record: ModelRecord | None = None, *, version: str = "1") -> Scorer:
    """A detector without a package."""
    model = compiled(_fitted()[0])
    assert isinstance(model, CompiledModel)
    record = record or detector_record()
    return Scorer(model, record, model_name="ml-ids-novelty", model_version=version)


def make_detector_package(directory: Path) -> Path:
    """Write its package below `directory`."""
    record, estimator = detector_record(), _fitted()[0]
    rows = golden_rows(len(record.features))
    write_package(
        directory / "package",
        compiled(estimator),
        record,
        golden_rows=rows,
        golden_probabilities=estimator.predict_proba(clean(rows, record.preprocessing)),
        card="# A detector of novelty\n",
    )
    return directory / "package"
