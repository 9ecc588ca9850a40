"""The estimator's own MLflow flavour, for MLflow's tools; serving never loads it."""

from __future__ import annotations

import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

import mlflow.sklearn
import skops.io  # type: ignore[import-untyped]
import yaml
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from sklearn.pipeline import Pipeline

from detection.package import ESTIMATOR

MLMODEL: Final = "MLmodel"
TRUSTED_TYPES: Final = ("sklearn.tree._tree.Tree", "sklearn.utils._bunch.Bunch")
REQUIREMENTS: Final = ("numpy", "pandas", "scikit-learn", "skops")


def save_flavour(pipeline: Pipeline, directory: Path, names: tuple[str, ...]) -> None:
    """Write model/ below `directory`, and beside it the MLmodel that points into it.

    The model answers the most probable class code, without the operating threshold.
    """
    columns: list[ColSpec | TensorSpec] = [ColSpec(DataType.double, name) for name in names]
    folder = directory / ESTIMATOR
    mlflow.sklearn.save_model(
        pipeline,
        str(folder),
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
        skops_trusted_types=list(TRUSTED_TYPES),
        signature=ModelSignature(Schema(columns), Schema([ColSpec(DataType.long)])),
        pip_requirements=[f"{name}=={version(name)}" for name in REQUIREMENTS],
    )
    model = Model.load(str(folder))
    estimator = folder / model.flavors["sklearn"]["pickled_model"]
    # MLflow stores it uncompressed, ten times as large.
    skops.io.dump(pipeline, estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    model.model_size_bytes = estimator.stat().st_size
    model.save(str(folder / MLMODEL))
    _write_entry(folder / MLMODEL, directory / MLMODEL)


def _write_entry(source: Path, target: Path) -> None:
    """Write an MLmodel one folder above, so that a package can be served with MLflow as it is."""
    entry = yaml.safe_load(source.read_text(encoding="utf-8"))
    pyfunc, sklearn = entry["flavors"]["python_function"], entry["flavors"]["sklearn"]
    pyfunc["env"] = {kind: f"{ESTIMATOR}/{file}" for kind, file in pyfunc["env"].items()}
    pyfunc["model_path"] = f"{ESTIMATOR}/{pyfunc['model_path']}"
    sklearn["pickled_model"] = f"{ESTIMATOR}/{sklearn['pickled_model']}"
    target.write_text(yaml.safe_dump(entry, sort_keys=False), encoding="utf-8")
