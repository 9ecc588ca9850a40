"""Writes what is generated: openapi.yaml, .env.example, and of docs/ settings.md, metrics.md, features.md,
context.md."""

from __future__ import annotations

from pathlib import Path

import yaml

from context.features_table import context_markdown
from flows.features_table import features_markdown
from inference_server.configuration.settings_table import env_example, settings_markdown
from inference_server.main import create_app
from inference_server.telemetry.metrics_table import metrics_markdown

ROOT = Path(__file__).parents[1]


def openapi_yaml() -> str:
    return yaml.safe_dump(create_app().openapi(), sort_keys=False, allow_unicode=True, width=110)


def generated() -> dict[Path, str]:
    """Return every generated file's text."""
    return {
        ROOT / "openapi.yaml": openapi_yaml(),
        ROOT / ".env.example": env_example(),
        ROOT / "docs" / "settings.md": settings_markdown(),
        ROOT / "docs" / "metrics.md": metrics_markdown(),
        ROOT / "docs" / "features.md": features_markdown(),
        ROOT / "docs" / "context.md": context_markdown(),
    }


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text)
