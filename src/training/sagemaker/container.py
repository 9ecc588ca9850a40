"""What a training container of SageMaker does: its folders in, a model or a reason out."""

from __future__ import annotations

import json
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from training.gradient_boost import TrainingParams, save_gradient_boost, train_gradient_boost
from training.gradient_boost_package import write_gradient_boost_package
from training.sources.read import ReadOptions, read_training_data

PREFIX: Final = Path("/opt/ml")
FAILED: Final = 255
"""The exit code of a training that failed, by which SageMaker knows."""

PYFUNC: Final = "ml-ids-gb_mlflow_pyfunc"
PACKAGE: Final = "package"
OWN: Final = "sagemaker_"
"""Hyperparameters that begin so are the platform's."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where SageMaker puts what a container reads, and looks for what it writes."""

    prefix: Path = PREFIX

    @property
    def hyperparameters(self) -> Path:
        """The file of parameters; its values are texts."""
        return self.prefix / "input" / "config" / "hyperparameters.json"

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz, and where a serving container finds it."""
        return self.prefix / "model"

    @property
    def failure(self) -> Path:
        """The file that says why a training failed."""
        return self.prefix / "output" / "failure"

    def data(self) -> tuple[Path, Path, Path]:
        """Return the files of the channels training, validation and testing.

        Raises:
            FileNotFoundError: one is not there.
        """
        channels = {"training": "train", "validation": "val", "testing": "test"}
        paths = [self.prefix / "input" / "data" / name / f"{file}.h5" for name, file in channels.items()]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path}: is not there: give the channel {path.parent.name} that file"
                )
        training, validation, testing = paths
        return training, validation, testing


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
