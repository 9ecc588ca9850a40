"""What a registry has: every version with its aliases and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from detection.registry import Registry, list_versions

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True, slots=True)
class Listed:
    """A version of a registered model.

    Attributes:
        name, number: of model and version.
        aliases: those that stand on it, in alphabetical order.
        created: when it was registered.
        dialect, threshold, features: as texts, "" for what is no package of this project.
        figures: the metrics of its run.
    """

    name: str
    number: str
    aliases: tuple[str, ...]
    created: datetime
    dialect: str
    threshold: str
    features: str
    figures: Mapping[str, float]


def list_models(registry: Registry) -> list[Listed]:
    """Return every version of every model, models by name, their latest versions first.

    Raises:
        OSError, ValueError: the registry cannot be used.
    """
    found: list[Listed] = []
    with registry.client() as client:
        for name in _names(client):
            aliases = client.get_registered_model(name).aliases
            versions = sorted(list_versions(client, name), key=lambda version: -int(version.version))
            found += [_listed(client, version, aliases) for version in versions]
    return found


def _names(client: MlflowClient) -> list[str]:
    names: list[str] = []
    token: str | None = None
    while True:
        page = client.search_registered_models(page_token=token)
        names += [model.name for model in page]
        token = page.token
        if not token:
            return sorted(names)


def _listed(client: MlflowClient, version: ModelVersion, aliases: Mapping[str, str]) -> Listed:
    number = str(version.version)
    params, figures = _run(client, version.run_id)
    tags = version.tags or {}
    return Listed(
        name=version.name,
        number=number,
        aliases=tuple(sorted(alias for alias, of in aliases.items() if str(of) == number)),
        created=datetime.fromtimestamp(int(version.creation_timestamp or 0) / 1000, UTC),
        dialect=tags.get("dialect", ""),
        threshold=tags.get("threshold", ""),
        features=params.get("features", ""),
        figures=figures,
    )


def _run(client: MlflowClient, run_id: str | None) -> tuple[Mapping[str, str], Mapping[str, float]]:
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id) if run_id else None
    except MlflowException:  # the run was deleted for good
        run = None
    return (run.data.params, run.data.metrics) if run else ({}, {})
