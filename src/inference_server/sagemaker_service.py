"""The service as SageMaker starts it: the model of its archive, on port 8080, without capture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from detection.package import MANIFEST, load_package
from detection.registry import CHAMPION
from inference_server.champion import configured_registry
from inference_server.cli.serve import serve
from inference_server.settings import load_settings

PACKAGE: Final = "package"
MODEL_NAME: Final = "sagemaker"
ENVIRONMENT: Final = {
    "HOST": "0.0.0.0",
    "PORT": "8080",
    "START_CICFLOWMETER": "false",
    "DEMO": "0",
    "DASHBOARD": "false",
    # SageMaker's own door asks for signatures; nobody else reaches the container.
    "ALLOW_UNAUTHENTICATED": "true",
}


def serve_container(model: Path) -> None:
    """Serve the package that a model's folder holds, or is, until the end; an empty folder: the starter.

    Raises:
        OSError: the registry in STATE_DIR cannot be used.
        ValueError: the folder holds something else, or a setting is wrong.
    """
    package = find_package(model)
    if package:
        load_package(package)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if package:
        settings = load_settings()
        registry = configured_registry(settings)
        version = registry.register(package, MODEL_NAME)
        with registry.client() as client:
            client.set_registered_model_alias(MODEL_NAME, CHAMPION, version.number)
        os.environ["MLFLOW_MODEL_NAME"] = f"models:/{MODEL_NAME}@{CHAMPION}"
    serve()


def find_package(model: Path) -> Path | None:
    """Return the package of a model's folder, None where there is nothing.

    Raises:
        ValueError: there is something else.
    """
    found = [folder for folder in (model / PACKAGE, model) if (folder / MANIFEST).is_file()]
    if not found and model.is_dir() and any(model.iterdir()):
        raise ValueError(f"{model}: holds no package of a model: train it with ml-ids sagemaker train")
    return found[0] if found else None
