"""Which version an alias stands on: set after its checks, remembered, and taken back."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detection.model_uri import ModelUri
from detection.promotion_gate import Comparison, Margins, NotPromotedError, check, figures_of
from detection.registry import CHAMPION, Registry, Version

if TYPE_CHECKING:
    from mlflow import MlflowClient

HISTORY_TAG: Final = "ml-ids.before."
"""With the alias: the registered model's tag that lists the versions that had it, the latest first."""

REMEMBERED: Final = 20
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of an alias.

    Attributes:
        version: who has it.
        before: the number of the version that had it, None when none had.
        comparisons: its figures beside the champion's whose place it took.
        forced: why it would not have been promoted without force, "" when it would.
    """

    version: Version
    before: str | None
    comparisons: tuple[Comparison, ...] = ()
    forced: str = ""


def promote(
    registry: Registry,
    wanted: ModelUri,
    *,
    alias: str = CHAMPION,
    margins: Margins | None = None,
    force: bool = False,
) -> Promotion:
    """Give a version an alias after its files and its golden batch were checked; remember who had it.

    Args:
        registry: where versions are.
        wanted: the version.
        alias: what it gets.
        margins: by how much it may be worse than the champion whose place it takes; None asks nothing, as
            do other aliases than the champion's, and a champion that is the first.
        force: promote it although it is worse, or nobody knows; the log says so.

    Raises:
        NotPromotedError: it is worse than the champion, or figures are missing; the alias stays.
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
        found, forced = _gate(client, version, before if alias == CHAMPION else None, margins, force=force)
        history = _history(client, version.name, alias)
        if before is not None:
            _remember(client, version.name, alias, [before, *history])
        client.set_registered_model_alias(version.name, alias, version.number)
    return Promotion(version, before, found, forced)


def _gate(
    client: MlflowClient, version: Version, champion: str | None, margins: Margins | None, *, force: bool
) -> tuple[tuple[Comparison, ...], str]:
    """Return how a version compares with the champion, and why only force gives it the champion's place."""
    if margins is None or champion is None:
        return (), ""
    one, other = (figures_of(client, version.name, number) for number in (version.number, champion))
    try:
        return check(one, other, margins), ""
    except NotPromotedError as refused:
        if not force:
            raise
        logger.warning("%s is promoted by force although %s", version, refused)
        return refused.comparisons, str(refused)


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
