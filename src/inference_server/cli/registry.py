"""What the commands about models share: the registry of the settings, and its errors in one line."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from detection.model_uri import ModelUri, parse_model_uri
from detection.promotion import Promotion
from detection.registry import Registry
from detection.scorer import Scorer
from inference_server.champion import configured_registry
from inference_server.cli.reading import one_line_errors
from inference_server.operating_threshold import threshold_in_force
from inference_server.settings import Settings, export_library_variables, load_settings


@contextmanager
def settings_registry() -> Iterator[tuple[Settings, Registry]]:
    """Give the settings and their registry; what goes wrong is one line and exit code 1."""
    with one_line_errors():
        settings = load_settings()
        export_library_variables()
        try:
            yield settings, configured_registry(settings)
        except LookupError as error:
            raise ValueError(str(error)) from None


def model_name(settings: Settings) -> str:
    """Return the name of the model that the settings serve."""
    return parse_model_uri(settings.mlflow_model_name).name


def version_of(text: str, settings: Settings) -> ModelUri:
    """Read VERSION, of the model of the settings, or NAME/VERSION or NAME@ALIAS.

    Raises:
        ValueError: it is none of these.
    """
    if text.strip().isdigit():
        return ModelUri(model_name(settings), "version", text.strip())
    try:
        return parse_model_uri(text)
    except ValueError:
        raise ValueError(f"{text!r} names no version: write VERSION, NAME/VERSION or NAME@ALIAS") from None


def registered_scorer(text: str) -> Scorer:
    """Return a version of the settings' registry at the threshold that would be in force.

    Ends the command with one line when there is no such version or it fails its checks.
    """
    with (
        settings_registry() as (settings, registry),
        tempfile.TemporaryDirectory(prefix="ml-ids-model-") as folder,
    ):
        scorer = registry.load(registry.find(version_of(text, settings)), Path(folder))
        return scorer.with_threshold(threshold_in_force(settings, scorer).value)


def told(promotion: Promotion, alias: str, poll_seconds: float) -> str:
    """Say in a line what became of an alias."""
    version, before = promotion.version, promotion.before
    if before == version.number:
        return f"{version} is @{alias} already; its files and golden batch are well"
    was = "" if before is None else f", instead of version {before}"
    return (
        f"{version} is @{alias}{was}; its files and golden batch are well. "
        f"Services that follow the alias take it over within {poll_seconds:g} s (MODEL_POLL_SECONDS)"
    )
