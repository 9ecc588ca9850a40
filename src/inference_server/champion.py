"""The model that the settings name."""

from __future__ import annotations

from detection.registry import open_champion
from detection.scorer import Scorer
from inference_server.settings import Settings


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
    )
