"""The entry point of `ml-ids`, which is there even where only the clients were installed."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command, or say what it needs."""
    try:
        from inference_server.cli import app
    except ModuleNotFoundError as error:
        sys.exit(f"error: {error.name} is not installed: pip install 'ml-ids[sensor]'")
    app()
