"""`ml-ids train-local`: the files of split_dataset to a CatBoost model that MLflow serves."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from inference_server.cli.reading import errors
from inference_server.cli.registry import settings_registry


def train_local(
    train_path: Annotated[Path, typer.Option(help="flows to fit on, HDF5")] = Path("dataset/train.h5"),
    val_path: Annotated[Path, typer.Option(help="flows that say which iteration is the best")] = Path(
        "dataset/val.h5"
    ),
    test_path: Annotated[Path, typer.Option(help="flows to measure on")] = Path("dataset/test.h5"),
    train_param_path: Annotated[Path, typer.Option(help="parameters, JSON")] = Path(
        "models/gradient_boost/training_params.json"
    ),
    output_path: Annotated[Path, typer.Option(help="the MLflow model, in place of one there")] = Path(
        "build/models/gradient_boost"
    ),
) -> None:
    """Train cstub/ml-ids's gradient boosting; `mlflow models serve` serves the folder."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    with settings_registry() as (_, registry):
        try:
            from training.gradient_boost import TrainingParams, save_gradient_boost, train_gradient_boost
            from training.sources.read import ReadOptions, read_training_data
            from training.tracking import log_run, origin_of
        except ModuleNotFoundError as error:
            raise ValueError(f"training needs {error.name}: pip install 'ml-ids[sensor,training]'") from None

        params = TrainingParams.read(train_param_path)
        options = ReadOptions(keep_duplicates=True)
        paths = (train_path, val_path, test_path)
        with errors.status("reading the flows"):
            train, val, test = (read_training_data([path], options=options) for path in paths)
        try:
            boosted = train_gradient_boost(train, val, test, params)
        except ModuleNotFoundError as error:
            raise ValueError(str(error)) from None
        for name, value in boosted.metrics.items():
            typer.echo(f"{name}: {value}")
        save_gradient_boost(boosted, output_path)
        origin = origin_of((train, val, test), paths, params.model_dump())
        with registry.client() as client:
            experiment = registry.experiment(client, "gradient_boost")
            log_run(client, experiment, "gradient_boost", origin, boosted.metrics, output_path)
        typer.echo(f"{output_path}: mlflow models serve -m {output_path} -p 5000 --env-manager local")
