"""Which version an alias stands on: set after its checks, remembered, and taken back."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detection.model_uri import ModelUri
from detection.registry import CHAMPION, Registry, Version

if TYPE_CHECKING:
    from mlflow import MlflowClient

HISTORY_TAG: Final = "ml-ids.before."
"""With the alias: the registered model's tag that lists the versions that had it, the latest first."""

REMEMBERED: Final = 20


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of an alias.

    Attributes:
        version: who has it.
        before: the number of the version that had it, None when none had.
    """

    version: Version
    before: str | None


def promote(registry: Registry, wanted: ModelUri, *, alias: str = CHAMPION) -> Promotion:
    """Give a version an alias after its files and its golden batch were checked; remember who had it.

    Raises:
        LookupError: there is no such version.
        OSError: the registry cannot be used, or a file not be fetched.
        ValueError: the package fails its checks; the alias stays where it is.
    """
    version = registry.find(wanted)
    _check(registry, version)
    with registry.client() as client:
        before = _holder(client, version.name, alias)
        if before == version.number:
            return Promotion(version, before)
        history = _history(client, version.name, alias)
        if before is not None:
            _remember(client, version.name, alias, [before, *history])
        client.set_registered_model_alias(version.name, alias, version.number)
    return Promotion(version, before)


def rollback(registry: Registry, name: str, *, alias: str = CHAMPION) -> Promotion:
    """Give an alias back to the version that had it before; another call goes one further back.

    Raises:
        LookupError: it is not known who had it.
        OSError: the registry cannot be used, or a file not be fetched.
        ValueError: the package fails its checks; the alias stays where it is.
    """
    with registry.client() as client:
        holder = _holder(client, name, alias)
        history = [number for number in _history(client, name, alias) if number != holder]
    if not history:
        raise LookupError(
            f"models:/{name}@{alias}: no earlier version is remembered, none was promoted with ml-ids; "
            "choose one: ml-ids promote VERSION"
        )
    version = registry.find(ModelUri(name, "version", history[0]))
    _check(registry, version)
    with registry.client() as client:
        client.set_registered_model_alias(name, alias, version.number)
        _remember(client, name, alias, history[1:])
    return Promotion(version, holder)


def _check(registry: Registry, version: Version) -> None:
    with tempfile.TemporaryDirectory(prefix="ml-ids-model-") as folder:
        registry.load(version, Path(folder))


def _holder(client: MlflowClient, name: str, alias: str) -> str | None:
    models = client.search_registered_models(f"name = '{name}'")
    number = models[0].aliases.get(alias) if models else None
    return None if number is None else str(number)


def _history(client: MlflowClient, name: str, alias: str) -> list[str]:
    models = client.search_registered_models(f"name = '{name}'")
    text = models[0].tags.get(HISTORY_TAG + alias, "") if models else ""
    return [number for number in text.split(",") if number]


def _remember(client: MlflowClient, name: str, alias: str, numbers: list[str]) -> None:
    client.set_registered_model_tag(name, HISTORY_TAG + alias, ",".join(numbers[:REMEMBERED]))
