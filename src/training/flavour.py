"""The estimator's own MLflow flavour, for MLflow's tools; serving never loads it."""

from __future__ import annotations

import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import mlflow.sklearn
import skops.io  # type: ignore[import-untyped]
import yaml
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from detection.package import ESTIMATOR
from training.deep import Network

MLMODEL: Final = "MLmodel"
TRUSTED_TYPES: Final = (
    "numpy.dtype",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
)
"""What skops asks about in the estimators of the registry: none of these runs code of the file."""

REQUIREMENTS: Final = ("numpy", "pandas", "scikit-learn", "skops")
CATBOOST_REQUIREMENTS: Final = ("numpy", "pandas", "catboost")


def save_flavour(estimator: Any, directory: Path, names: tuple[str, ...]) -> None:
    """Write model/ below `directory`, and beside it the MLmodel that points into it.

    The model answers the most probable class code, without the operating threshold. That of a novelty
    detector is scikit-learn's estimator behind it, with that one's own answers. A network of torch has none.
    """
    if isinstance(estimator, Network):
        # Torch's file is a pickle; the compiled arrays are the whole network.
        return
    columns: list[ColSpec | TensorSpec] = [ColSpec(DataType.double, name) for name in names]
    folder = directory / ESTIMATOR
    inner = getattr(estimator, "detector_", estimator)
    if type(inner).__name__ == "CatBoostClassifier":
        import mlflow.catboost

        mlflow.catboost.save_model(
            inner,
            str(folder),
            signature=ModelSignature(Schema(columns)),
            pip_requirements=_pinned(CATBOOST_REQUIREMENTS),
        )
    else:
        _save_sklearn(inner, folder, columns)
    _write_entry(folder / MLMODEL, directory / MLMODEL)


def _pinned(names: tuple[str, ...]) -> list[str]:
    return [f"{name}=={version(name)}" for name in names]


def _save_sklearn(estimator: Any, folder: Path, columns: list[ColSpec | TensorSpec]) -> None:
    trusted = sorted({*skops.io.get_untrusted_types(data=skops.io.dumps(estimator))} & {*TRUSTED_TYPES})
    mlflow.sklearn.save_model(
        estimator,
        str(folder),
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
        skops_trusted_types=trusted,
        signature=ModelSignature(Schema(columns), Schema([ColSpec(DataType.long)])),
        pip_requirements=_pinned(REQUIREMENTS),
    )
    model = Model.load(str(folder))
    file = folder / model.flavors["sklearn"]["pickled_model"]
    # MLflow stores it uncompressed, ten times as large.
    skops.io.dump(estimator, file, compression=zipfile.ZIP_DEFLATED, compresslevel=9)
    model.model_size_bytes = file.stat().st_size
    model.save(str(folder / MLMODEL))


FILES: Final = (
    *(("python_function", "model_path"), ("python_function", "data")),
    *(("sklearn", "pickled_model"), ("catboost", "data")),
)
"""Where an MLmodel names files."""


def _write_entry(source: Path, target: Path) -> None:
    """Write an MLmodel one folder above, so that a package can be served with MLflow as it is."""
    entry = yaml.safe_load(source.read_text(encoding="utf-8"))
    flavours = entry["flavors"]
    pyfunc = flavours["python_function"]
    pyfunc["env"] = {kind: f"{ESTIMATOR}/{file}" for kind, file in pyfunc["env"].items()}
    for flavour, field in FILES:
        if flavour in flavours and field in flavours[flavour]:
            flavours[flavour][field] = f"{ESTIMATOR}/{flavours[flavour][field]}"
    target.write_text(yaml.safe_dump(entry, sort_keys=False), encoding="utf-8")
