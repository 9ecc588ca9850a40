"""Puts a model package into an MLflow registry; neither pickles nor scikit-learn are needed for it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from detection.package import CARD, RECORD
from detection.promotion_gate import ESTIMATOR_TAG, MEASURED_ON
from detection.record import ModelRecord

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
ARTIFACT_FOLDER: Final = "package"
DESCRIPTION_LIMIT: Final = 5000
"""Characters that MLflow's database keeps of a version's description."""

SUMMARY: Final = "ML-IDS: network flows to attack classes. Each version's description is its card."


def register_package(
    client: MlflowClient,
    directory: Path,
    name: str,
    *,
    alias: str | None,
    artifacts: str | None = None,
    params: Mapping[str, str] = _NOTHING,
    tags: Mapping[str, str] = _NOTHING,
) -> str:
    """Register a package as the next version of a model, with an alias or without, and return the version.

    The run in the experiment of the model's name holds the package and the record's figures.

    Args:
        client: of the registry.
        directory: the package.
        name: the registered model; made when there is none.
        alias: what the version is called, such as champion; None for nothing.
        artifacts: URI below which a new experiment keeps its files; None leaves it to the server.
        params, tags: what the run says of how the model was made.

    Raises:
        OSError: the package cannot be read.
        mlflow.exceptions.MlflowException: the registry refuses.
    """
    record = ModelRecord.from_json((directory / RECORD).read_bytes())
    card = (directory / CARD).read_text(encoding="utf-8")
    experiment = experiment_named(client, name, artifacts)
    run = _log_run(client, directory, record, card, experiment, params, tags)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=SUMMARY)
    version = client.create_model_version(
        name,
        f"{run.info.artifact_uri}/{ARTIFACT_FOLDER}",
        run.info.run_id,
        tags=_tags(record),
        description=_shortened(card),
    )
    if alias is not None:
        client.set_registered_model_alias(name, alias, version.version)
    return str(version.version)


def experiment_named(client: MlflowClient, name: str, artifacts: str | None) -> str:
    """Return the id of the experiment of a model's name, which is made, or restored, where there is none."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def _log_run(
    client: MlflowClient,
    directory: Path,
    record: ModelRecord,
    card: str,
    experiment: str,
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> Run:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    run = client.create_run(
        experiment,
        run_name=directory.name,
        tags={**tags, **_tags(record), "mlflow.note.content": _shortened(card)},
    )
    client.log_batch(
        run.info.run_id,
        metrics=[Metric(key, value, now, 0) for key, value in record.figures.items()],
        params=[
            Param("features", str(len(record.features))),
            Param("classes", ", ".join(record.class_names)),
            Param("threshold", str(record.threshold)),
            *(Param(key, value) for key, value in params.items()),
        ],
    )
    client.log_artifacts(run.info.run_id, str(directory), ARTIFACT_FOLDER)
    client.set_terminated(run.info.run_id)
    return run


def _tags(record: ModelRecord) -> dict[str, str]:
    return {
        "dialect": record.dialect,
        "schema_id": record.schema_id,
        "threshold": str(record.threshold),
        **({MEASURED_ON: record.measured_on} if record.measured_on else {}),
        **({ESTIMATOR_TAG: record.estimator} if record.estimator else {}),
    }


def _shortened(card: str) -> str:
    if len(card) <= DESCRIPTION_LIMIT:
        return card
    more = f"\n\nThe rest stands in {ARTIFACT_FOLDER}/{CARD} of the run's artifacts.\n"
    kept = card[: DESCRIPTION_LIMIT - len(more)]
    return kept[: kept.rindex("\n\n")] + more
