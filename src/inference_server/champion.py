"""The registry and the model that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from detection.model_cache import ModelCache
from detection.model_uri import parse_model_uri
from detection.registry import Registry, open_champion
from detection.scorer import ModelUnavailableError, Scorer
from detection.watcher import ModelWatcher
from inference_server.operating_threshold import threshold_in_force
from inference_server.settings import Settings, export_library_variables
from inference_server.uploads.uploads import Uploads


def configured_champion(settings: Settings) -> Scorer:
    """Return the model that serves under these settings, from their registry.

    Raises:
        ModelUnavailableError: there is none; the message says why and what to do.
    """
    return open_champion(
        tracking_uri=settings.mlflow_tracking_uri,
        state_dir=settings.state_dir,
        model_uri=settings.mlflow_model_name,
        register_starter=settings.register_starter,
        allow_pickle=settings.allow_pickle_models,
    )


def champion_for_commands(settings: Settings) -> Scorer:
    """Return the model that would serve, at the threshold that would be in force.

    Raises:
        ValueError: there is none; the message says why and what to do.
    """
    export_library_variables()
    try:
        scorer = configured_champion(settings)
    except ModelUnavailableError as error:
        raise ValueError(str(error)) from None
    return scorer.with_threshold(threshold_in_force(settings, scorer).value)


def configured_registry(settings: Settings) -> Registry:
    """Return the registry of the settings; it is not asked yet."""
    return Registry(
        tracking_uri=settings.mlflow_tracking_uri,
        state_dir=settings.state_dir,
        register_starter=settings.register_starter,
        allow_pickle=settings.allow_pickle_models,
    )


def configured_watcher(
    settings: Settings,
    registry: Registry,
    on_champion: Callable[[Scorer], None],
    on_challenger: Callable[[Scorer | None], None],
) -> ModelWatcher:
    """Return who follows the model of the settings in their registry; not running yet."""
    return _watcher(
        settings, registry, settings.mlflow_model_name, settings.state_dir, on_champion, on_challenger
    )


def second_watcher(
    settings: Settings, registry: Registry, name: str, folder: str, on_model: Callable[[Scorer], None]
) -> ModelWatcher:
    """Return who follows a model beside the champion, cached in a folder of its own below STATE_DIR."""
    return _watcher(settings, registry, name, settings.state_dir / folder, on_model, lambda _: None)


def _watcher(
    settings: Settings,
    registry: Registry,
    name: str,
    cache_in: Path,
    on_champion: Callable[[Scorer], None],
    on_challenger: Callable[[Scorer | None], None],
) -> ModelWatcher:
    wanted = parse_model_uri(name)
    cache = ModelCache(
        cache_in,
        registry=registry.name,
        model_uri=str(wanted),
        allow_pickle=settings.allow_pickle_models,
    )
    return ModelWatcher(
        registry,
        wanted,
        cache,
        on_champion=on_champion,
        on_challenger=on_challenger,
        poll_seconds=settings.model_poll_seconds,
    )


def configured_uploads(settings: Settings, scorer: Callable[[], Scorer | None]) -> Uploads:
    """Return who takes captures; `scorer` returns the model that serves."""
    registry = configured_registry(settings)
    return Uploads(settings, scorer, registry.name, str(parse_model_uri(settings.mlflow_model_name)))
