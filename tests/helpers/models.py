"""Small fixed models: fitted by rule on made-up flows, never the starter."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from detection.catboost_model import CatBoostModel
from detection.compile_sklearn import compile_pipeline
from detection.package import load_package, write_package
from detection.preprocess import clean
from detection.promotion_gate import AGREED
from detection.record import BenignQuantiles, InsufficientRule, ModelRecord, Preprocessing
from detection.scorer import Scorer
from flows.labels import BY_CODE
from flows.schema import COMMON_NAMES, schema_id
from flows.table import FlowTable

CLASSES = (0, 5, 17)
PREPROCESSING = Preprocessing(nan=0.0, infinity=0.0, minimum=0.0, maximum=1e18)
ONE_PACKET = InsufficientRule(max_packets=1, max_duration_us=0)
GOLDEN_ROWS = 32

FIGURES = {agreed.name: 0.5 for agreed in AGREED if agreed.needed}
"""Of every model made here: none is worse than another."""

# Value of every feature of a typical flow of a class: see `typical_flow`.
_LEVELS = {0: 100.0, 5: 100_000.0, 17: 10.0}


def typical_flow(code: int, names: tuple[str, ...] = COMMON_NAMES) -> dict[str, float]:
    """The features of a flow that every model made here gives this class, near certainty."""
    return dict.fromkeys(names, _LEVELS[code])


def typical_table(codes: list[int], *, dialect: str = "improved", sensor: str = "test") -> FlowTable:
    """One typical flow a code."""
    features = np.array([list(typical_flow(code).values()) for code in codes]).reshape(-1, len(COMMON_NAMES))
    return FlowTable.from_features(features, COMMON_NAMES, dialect, sensor=sensor)


def made_up_flows(
    rows: int, *, features: int = 76, classes: tuple[int, ...] = CLASSES, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Log-normal features around each class's level, and the codes."""
    random = np.random.default_rng(seed)
    codes = np.array(classes, np.int32)[np.arange(rows) % len(classes)]
    levels = np.array([_LEVELS[code] for code in codes.tolist()])
    return levels[:, None] * np.exp(random.normal(0, 1.0, (rows, features))), codes


@lru_cache
def fitted_pipeline(
    *, classes: tuple[int, ...] = CLASSES, features: int = 76, trees: int = 12, seed: int = 0
) -> Pipeline:
    """A fitted pipeline of the kind the product serves."""
    rows, codes = made_up_flows(600, features=features, classes=classes, seed=seed)
    stack = StackingClassifier(
        [
            ("rf", RandomForestClassifier(trees, random_state=seed)),
            ("lr", LogisticRegression(max_iter=2000)),
        ],
        LogisticRegression(max_iter=2000),
        cv=3,
    )
    return Pipeline([("scaler", StandardScaler()), ("stack", stack)]).fit(rows, codes)


def make_record(
    *,
    threshold: float = 0.5,
    dialect: str = "improved",
    names: tuple[str, ...] = COMMON_NAMES,
    classes: tuple[int, ...] = CLASSES,
    insufficient: InsufficientRule | None = ONE_PACKET,
) -> ModelRecord:
    """The record of a fitted pipeline."""
    return ModelRecord(
        record_format=1,
        description="A model of made-up flows",
        features=names,
        schema_id=schema_id(names),
        dialect=dialect,
        classes=classes,
        class_names=tuple(BY_CODE[code].name for code in classes),
        preprocessing=PREPROCESSING,
        threshold=threshold,
        insufficient=insufficient,
        benign_quantiles=BenignQuantiles(levels=(0.0, 1.0), values=((0.0, 1e3),) * len(names)),
        figures=FIGURES,
        measured_on="made-up flows",
    )


def make_scorer(record: ModelRecord | None = None, *, version: str = "1") -> Scorer:
    """A scorer without a package."""
    record = record or make_record()
    pipeline = fitted_pipeline(classes=record.classes, features=len(record.features))
    return Scorer(compile_pipeline(pipeline), record, model_name="ml-ids", model_version=version)


def golden_rows(features: int) -> NDArray[np.float64]:
    """Raw rows, some of which preprocessing must repair."""
    rows, _ = made_up_flows(GOLDEN_ROWS, features=features, seed=1)
    rows[0, :4] = np.nan, np.inf, -np.inf, -1.0
    return rows


def fitted_catboost(*, classes: tuple[int, ...] = CLASSES, features: int = 76) -> Any:
    """A fitted CatBoostClassifier; the test is skipped where CatBoost is not installed."""
    catboost = pytest.importorskip("catboost", reason="CatBoost, an extra, is not installed")
    rows, codes = made_up_flows(300, features=features, classes=classes)
    return catboost.CatBoostClassifier(
        iterations=10, depth=3, random_seed=0, verbose=False, thread_count=1, allow_writing_files=False
    ).fit(rows, codes)


def make_catboost_package(directory: Path, record: ModelRecord | None = None) -> Path:
    """Write a package that CatBoost's applier serves."""
    record = record or make_record()
    fitted = fitted_catboost(classes=record.classes, features=len(record.features))
    rows = golden_rows(len(record.features))
    write_package(
        directory / "package",
        CatBoostModel(fitted),
        record,
        golden_rows=rows,
        golden_probabilities=fitted.predict_proba(clean(rows, record.preprocessing)),
        card="# A CatBoost model of made-up flows\n",
    )
    return directory / "package"


def log_folder(estimator: Any, folder: Path, **more: Any) -> Path:
    """Save an estimator as a plain MLflow model, pickled as MLflow's users do."""
    import mlflow.sklearn

    # MLflow says that pickles run code, which is what these tests are about.
    logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)
    mlflow.sklearn.save_model(
        estimator, str(folder), serialization_format="pickle", pip_requirements=["scikit-learn"], **more
    )
    return folder


def make_pickle_package(directory: Path, record: ModelRecord | None = None) -> Path:
    """Write a package whose pickled estimator serves by itself."""
    record = record or make_record()
    pipeline = fitted_pipeline(classes=record.classes, features=len(record.features))
    rows = golden_rows(len(record.features))
    package = directory / "package"
    package.mkdir(parents=True, exist_ok=True)
    log_folder(pipeline, package / "model")
    write_package(
        package,
        None,
        record,
        golden_rows=rows,
        golden_probabilities=pipeline.predict_proba(clean(rows, record.preprocessing)),
        card="# A pickled model of made-up flows\n",
    )
    return package


def make_package(directory: Path, record: ModelRecord | None = None, *, seed: int = 0) -> Path:
    """Write a package below `directory`; model/ holds a file that nothing may read."""
    record = record or make_record()
    pipeline = fitted_pipeline(classes=record.classes, features=len(record.features), seed=seed)
    package = directory / "package"
    (package / "model").mkdir(parents=True)
    (package / "model" / "model.skops").write_bytes(b"not an estimator")
    rows = golden_rows(len(record.features))
    write_package(
        package,
        compile_pipeline(pipeline),
        record,
        golden_rows=rows,
        golden_probabilities=pipeline.predict_proba(clean(rows, record.preprocessing)),
        card="# A model of made-up flows\n",
    )
    load_package(package)
    return package
