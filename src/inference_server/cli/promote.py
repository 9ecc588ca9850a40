"""`ml-ids promote`: another version serves."""

from __future__ import annotations

from typing import Annotated

import typer

from detection.promotion import promote as promote_version
from detection.registry import CHAMPION
from inference_server.cli.registry import settings_registry, told, version_of


def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="VERSION, NAME/VERSION or NAME@ALIAS")],
    alias: Annotated[str, typer.Option(help="the alias it gets")] = CHAMPION,
) -> None:
    """Give a version of a model an alias, once its files and golden batch are checked."""
    with settings_registry() as (settings, registry):
        promotion = promote_version(registry, version_of(version, settings), alias=alias)
        typer.echo(told(promotion, alias, settings.model_poll_seconds))
