"""`ml-ids rollback`: the version before serves again."""

from __future__ import annotations

from typing import Annotated

import typer

from detection.promotion import rollback as roll_back
from detection.registry import CHAMPION
from inference_server.cli.registry import model_name, settings_registry, told


def rollback(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="the model; that of MLFLOW_MODEL_NAME when not given"),
    ] = None,
    alias: Annotated[str, typer.Option(help="the alias that goes back")] = CHAMPION,
) -> None:
    """Give an alias back to the version that had it before `ml-ids promote`."""
    with settings_registry() as (settings, registry):
        promotion = roll_back(registry, name or model_name(settings), alias=alias)
        typer.echo(told(promotion, alias, settings.model_poll_seconds))
