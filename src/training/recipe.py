"""The recipe of the default model: what is fitted, how it is measured, what its package holds."""

from __future__ import annotations

import logging
import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from detection.compile_sklearn import compile_pipeline
from detection.package import load_package, write_package
from detection.preprocess import clean
from detection.record import BenignQuantiles, InsufficientRule, ModelRecord, Preprocessing
from flows.labels import BY_CODE
from flows.schema import schema_id
from training.dataset import LabelledFlows
from training.estimators import DEFAULT, SEED, fit, kind_named, predict_proba
from training.evaluation import Evaluation, evaluate
from training.flavour import save_flavour
from training.golden import golden_rows

PREPROCESSING: Final = Preprocessing(nan=0.0, infinity=0.0, minimum=0.0, maximum=1e18)
INSUFFICIENT: Final = InsufficientRule(max_packets=1, max_duration_us=0)
BENIGN_SHARE: Final = 0.002
"""The share of benign flows that a model may flag."""

TRAIN_SHARE: Final = 0.7
GOLDEN_ROWS: Final = 256
DESCRIPTION: Final = (
    "A random forest and a logistic regression stacked by a logistic regression, on scaled flow features"
)

logger = logging.getLogger(__name__)


def fitted(flows: LabelledFlows, rows: NDArray[np.bool_]) -> Any:
    """Return the default estimator fitted on the chosen ones of n flows."""
    return fit(
        kind_named(DEFAULT), clean(flows.features[rows], PREPROCESSING), flows.codes[rows], flows.names
    )


def makers() -> str:
    """Return names and versions of what makes a model."""
    return f"Python {platform.python_version()}, scikit-learn {version('scikit-learn')}, seed {SEED}"


def iterations(pipeline: Any) -> dict[str, int]:
    """Return how many iterations each regression of a fitted pipeline took."""
    stack = pipeline[-1]
    regressions = {"base": stack.named_estimators_["lr"], "final": stack.final_estimator_}
    return {name: int(model.n_iter_.max()) for name, model in regressions.items()}


def draft_record(flows: LabelledFlows, pipeline: Any) -> ModelRecord:
    """Return the record of a model whose threshold is not chosen yet."""
    classes = tuple(int(code) for code in pipeline.classes_)
    benign = clean(flows.features[flows.codes == 0], PREPROCESSING)
    return ModelRecord(
        record_format=1,
        description=DESCRIPTION,
        features=flows.names,
        schema_id=schema_id(flows.names),
        dialect=flows.dialect,
        classes=classes,
        class_names=tuple(BY_CODE[code].name for code in classes),
        preprocessing=PREPROCESSING,
        threshold=1.0,
        insufficient=INSUFFICIENT,
        benign_quantiles=BenignQuantiles.of(benign),
    )


def evaluated(flows: LabelledFlows, train: NDArray[np.bool_], threshold: float) -> Evaluation:
    """Return the figures of an estimator fitted on some of n flows, on the others."""
    pipeline = fitted(flows, train)
    features, codes = clean(flows.features[~train], PREPROCESSING), flows.codes[~train]
    evaluation = evaluate(
        predict_proba(pipeline, features, flows.names),
        codes,
        tuple(int(code) for code in pipeline.classes_),
        threshold=threshold,
        train_rows=int(train.sum()),
    )
    logger.info("macro F1 %.4f on %d rows", evaluation.macro_f1, evaluation.test_rows)
    return evaluation


def write_model(pipeline: Any, flows: LabelledFlows, record: ModelRecord, card: str, out: Path) -> None:
    """Write a fitted pipeline as a package, in place of what is there, and check it as serving does."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    save_flavour(pipeline, out, flows.names)
    rows = golden_rows(flows.features, flows.codes, GOLDEN_ROWS, SEED)
    write_package(
        out,
        compile_pipeline(pipeline),
        record,
        golden_rows=rows,
        golden_probabilities=predict_proba(pipeline, clean(rows, PREPROCESSING), flows.names),
        card=card,
    )
    load_package(out)
