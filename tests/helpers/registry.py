"""An embedded registry with a small fixed model as champion."""

from __future__ import annotations

from pathlib import Path

from detection.mlflow_client import embedded_uri, open_client
from detection.registration import register_package
from helpers.models import make_package


def make_registry(state_dir: Path, scratch: Path) -> Path:
    """Register the model of `helpers.models` as ml-ids version 1, @champion; return `state_dir`."""
    client = open_client(embedded_uri(state_dir))
    artifacts = (state_dir / "mlartifacts").as_uri()
    register_package(client, make_package(scratch), "ml-ids", alias="champion", artifacts=artifacts)
    return state_dir
