"""What a training container of SageMaker does: its folders in, a model or a reason out."""

from __future__ import annotations

import json
import sys
import traceback
from pathlib import Path
from typing import Final

from training.gradient_boost import TrainingParams, save_gradient_boost, train_gradient_boost
from training.gradient_boost_package import write_gradient_boost_package
from training.sagemaker.folders import FAILED, PREFIX, Folders
from training.sources.read import ReadOptions, read_training_data

PYFUNC: Final = "ml-ids-gb_mlflow_pyfunc"
PACKAGE: Final = "package"
OWN: Final = "sagemaker_"
"""Hyperparameters that begin so are the platform's."""


def train_in_container(prefix: Path = PREFIX) -> int:
    """Train by what is below `prefix`; return the exit code: 0, or FAILED once `output/failure` says why.

    Lines of stdout are `learn: x  test: y` an iteration, `bestTest = x`, and `name: x` for pr_auc, precision,
    recall and f1: what the metric definitions of a training job look for.
    """
    folders = Folders(prefix)
    try:
        _train(folders)
    except Exception as error:  # whatever it is, SageMaker wants it told
        told = f"{error or type(error).__name__}\n\n{traceback.format_exc()}"
        sys.stderr.write(f"error: {told}")
        folders.failure.parent.mkdir(parents=True, exist_ok=True)
        folders.failure.write_text(told, encoding="utf-8")
        return FAILED
    return 0


def _train(folders: Folders) -> None:
    params = read_hyperparameters(folders.hyperparameters)
    options = ReadOptions(keep_duplicates=True)
    train, val, test = (read_training_data([path], options=options) for path in folders.data())
    boosted = train_gradient_boost(train, val, test, params)
    for name, value in boosted.metrics.items():
        sys.stdout.write(f"{name}: {value}\n")
    save_gradient_boost(boosted, folders.model / PYFUNC)
    write_gradient_boost_package(boosted, train, folders.model / PACKAGE)


def read_hyperparameters(path: Path) -> TrainingParams:
    """Read a job's hyperparameters; a job without any has no such file, or an empty object.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds others, or values that are not possible.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        given = {}
    except ValueError as error:
        raise ValueError(f"{path}: not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError(f"{path}: not an object of parameters")
    own = {name: value for name, value in given.items() if not name.startswith(OWN)}
    return TrainingParams.of(own, str(path))
