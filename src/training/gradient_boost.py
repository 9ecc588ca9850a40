"""cstub/ml-ids's gradient boosting: the files of split_dataset to a folder that MLflow serves.

Its 68 features, its imputation and its parameters. Rare kinds of attack weigh as much as if there were
`nr_samples_attack_category` of them, in place of synthetic rows, and attacks as much as benign flows.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

import joblib
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from detection.catboost_model import import_catboost
from flows.schema import COMMON_NAMES
from training.dataset import LabelledFlows
from training.flavour import MLMODEL

ALWAYS_ZERO: Final = (
    *("bwd_blk_rate_avg", "bwd_byts_b_avg", "bwd_pkts_b_avg", "bwd_psh_flags", "bwd_urg_flags"),
    *("fwd_blk_rate_avg", "fwd_byts_b_avg", "fwd_pkts_b_avg"),
)
COLUMNS: Final = tuple(name for name in COMMON_NAMES if name not in ALWAYS_ZERO)
MAY_BE_NEGATIVE: Final = ("init_fwd_win_byts", "init_bwd_win_byts")
"""-1 says that there was no window."""

CLASSIFIER: Final = "gradient_boost_model.cbm"
PREPROCESSING: Final = "preprocessing.json"
MODEL_CODE: Final = Path(__file__).with_name("gradient_boost_model.py")
REQUIREMENTS: Final = ("catboost", "mlflow", "numpy", "pandas")
Floats = NDArray[np.float64]

logger = logging.getLogger(__name__)


class TrainingParams(BaseModel):
    """The parameters, named as cstub/ml-ids's training_params.json; texts of numbers are numbers too."""

    model_config = ConfigDict(extra="forbid")

    task_type: Literal["CPU", "GPU"] = "CPU"
    use_val_set: bool = True
    nr_iterations: int = Field(1000, ge=1)
    tree_depth: int = Field(6, ge=1, le=16)
    l2_reg: float = Field(3.0, ge=0)
    border_count: int = Field(254, ge=1, le=65_535)
    random_strength: float = Field(1.0, ge=0)
    nr_samples_attack_category: int = Field(1000, ge=0)
    random_seed: int = -1

    @classmethod
    def read(cls, path: Path) -> TrainingParams:
        """Read a file of parameters.

        Raises:
            OSError: it cannot be read.
            ValueError: it holds others, or values that are not possible.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise ValueError(f"{path}: {_problems(error)}") from None

    @classmethod
    def of(cls, given: Mapping[str, object], where: str) -> TrainingParams:
        """Take parameters that were read from `where`.

        Raises:
            ValueError: there are others, or values that are not possible.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ValueError(f"{where}: {_problems(error)}") from None


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())


@dataclass(frozen=True, slots=True)
class Boosted:
    """A fitted classifier and what came of it. Attributes: classifier: CatBoost's. columns: those it reads,
    imputed ones first. medians: of the imputed ones. metrics: pr_auc, precision, recall and f1 on the test
    rows."""

    classifier: Any
    columns: tuple[str, ...]
    medians: dict[str, float]
    metrics: dict[str, float]


def train_gradient_boost(
    train: LabelledFlows, val: LabelledFlows, test: LabelledFlows, params: TrainingParams
) -> Boosted:
    """Fit and measure; CatBoost writes a line an iteration to stdout.

    Raises:
        ModuleNotFoundError: CatBoost, an extra, is not installed.
        ValueError: the training rows hold no benign flow or no attack.
    """
    codes, rows = train.codes, _raw(train)
    if not params.use_val_set:
        codes, rows = np.concatenate([codes, val.codes]), np.vstack([rows, _raw(val)])
    if not (codes == 0).any() or not (codes != 0).any():
        raise ValueError("the training rows need benign flows and attacks")
    columns, medians = _imputation(rows)
    weight = np.ones(len(codes))
    for code, count in zip(*np.unique(codes[codes != 0], return_counts=True), strict=True):
        weight[codes == code] = max(1.0, params.nr_samples_attack_category / count)
    catboost = import_catboost()
    attack = weight[codes != 0].sum()
    classifier = catboost.CatBoostClassifier(
        iterations=params.nr_iterations,
        depth=params.tree_depth,
        l2_leaf_reg=params.l2_reg,
        border_count=params.border_count,
        random_strength=params.random_strength,
        random_seed=None if params.random_seed < 0 else params.random_seed,
        task_type=_task_type(params.task_type),
        class_weights=[1.0, float((codes == 0).sum() / attack)],
        loss_function="Logloss",
        thread_count=joblib.cpu_count(),
        allow_writing_files=False,
        verbose=1,
    )
    held = (_imputed(_raw(val), columns, medians), val.codes != 0) if params.use_val_set else None
    classifier.fit(_imputed(rows, columns, medians), codes != 0, sample_weight=weight, eval_set=held)
    answers = classifier.predict_proba(_imputed(_raw(test), columns, medians))[:, 1]
    return Boosted(classifier, columns, medians, figures(test.codes != 0, answers))


def figures(attacks: NDArray[np.bool_], p_attack: Floats) -> dict[str, float]:
    """Return average precision, and precision, recall and F1 of attacks at 0.5."""
    precision, recall, f1, _ = precision_recall_fscore_support(
        attacks, p_attack >= 0.5, average="binary", zero_division=0.0
    )
    pr_auc = average_precision_score(attacks, p_attack)
    named = {"pr_auc": pr_auc, "precision": precision, "recall": recall, "f1": f1}
    return {name: float(value) for name, value in named.items()}


def save_gradient_boost(boosted: Boosted, out: Path) -> None:
    """Write the folder that `mlflow models serve` serves, in place of such a folder.

    Raises:
        FileExistsError: there is something else.
        OSError: it cannot be written.
    """
    import mlflow.pyfunc

    if out.exists() and any(out.iterdir()):
        if not (out / MLMODEL).exists():
            raise FileExistsError(f"{out}: holds something that is no MLflow model: name another folder")
        shutil.rmtree(out)
    rules = {"columns": boosted.columns, "medians": boosted.medians, "may_be_negative": MAY_BE_NEGATIVE}
    with tempfile.TemporaryDirectory(prefix="ml-ids-boost-") as scratch:
        classifier, preprocessing = Path(scratch) / CLASSIFIER, Path(scratch) / PREPROCESSING
        boosted.classifier.save_model(str(classifier), format="cbm")
        preprocessing.write_text(json.dumps(rules, indent=1), encoding="utf-8")
        with warnings.catch_warnings():
            # MLflow would like type hints, which it takes for a signature.
            warnings.simplefilter("ignore", UserWarning)
            mlflow.pyfunc.save_model(
                str(out),
                python_model=str(MODEL_CODE),
                artifacts={"classifier": str(classifier), "preprocessing": str(preprocessing)},
                pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
            )


def _raw(flows: LabelledFlows) -> Floats:
    """Return n x 68 features; infinite and wrongly negative ones are NaN."""
    rows = flows.features[:, [flows.names.index(name) for name in COLUMNS]].astype(np.float64)
    negative = np.array([name in MAY_BE_NEGATIVE for name in COLUMNS])
    rows[np.isinf(rows) | ((rows < 0) & ~negative)] = np.nan
    return rows


def _imputation(rows: Floats) -> tuple[tuple[str, ...], dict[str, float]]:
    """Return the columns, those with NaN first, and the medians of these."""
    lacking: NDArray[np.bool_] = np.asarray(np.isnan(rows).any(axis=0))
    medians = {
        name: float(np.nanmedian(column)) if np.isfinite(column).any() else 0.0
        for name, column, lacks in zip(COLUMNS, rows.T, lacking.tolist(), strict=True)
        if lacks
    }
    return (*medians, *(name for name in COLUMNS if name not in medians)), medians


def _imputed(rows: Floats, columns: tuple[str, ...], medians: dict[str, float]) -> Floats:
    ordered = rows[:, [COLUMNS.index(name) for name in columns]]
    return np.where(np.isnan(ordered), [medians.get(name, np.nan) for name in columns], ordered)


def _task_type(wanted: str) -> str:
    if wanted == "GPU":
        from catboost.utils import get_gpu_device_count

        if not get_gpu_device_count():
            logger.warning("task_type GPU: CatBoost finds no GPU here, so it trains on the CPU")
            return "CPU"
    return wanted
