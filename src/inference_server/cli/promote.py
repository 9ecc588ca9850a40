"""`ml-ids promote`: another version serves, if it is not worse than the one that does."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from detection.promotion import promote as promote_version
from detection.promotion_gate import Comparison, NotPromotedError
from detection.registry import CHALLENGER, CHAMPION
from inference_server.cli.reading import errors
from inference_server.cli.registry import model_name, settings_registry, told, version_of


def promote(
    version: Annotated[
        str,
        typer.Argument(
            metavar="[VERSION]", help="VERSION, NAME/VERSION or NAME@ALIAS; the challenger when not given"
        ),
    ] = "",
    alias: Annotated[str, typer.Option(help="the alias it gets")] = CHAMPION,
    force: Annotated[
        bool,
        typer.Option("--force", help="although it is worse than the champion, or nobody knows; it is logged"),
    ] = False,
) -> None:
    """Give a version an alias, once its files are checked and it is not worse than the champion."""
    with settings_registry() as (settings, registry):
        wanted = version_of(version or f"{model_name(settings)}@{CHALLENGER}", settings)
        try:
            done = promote_version(
                registry, wanted, alias=alias, margins=settings.promotion_margins, force=force
            )
        except NotPromotedError as refused:
            _show(errors, refused.comparisons)
            raise
        _show(Console(highlight=False), done.comparisons)
        if done.forced:
            errors.print(f"warning: by force: {done.forced}", style="yellow", markup=False)
        typer.echo(told(done, alias, settings.model_poll_seconds))


def _show(console: Console, comparisons: tuple[Comparison, ...]) -> None:
    if not comparisons:
        return
    table = Table()
    table.add_column("on", no_wrap=True)
    for title in ("champion", "this one", "margin", ""):
        table.add_column(title, justify="right")
    for each in comparisons:
        figures = ("-" if value is None else f"{value:.4f}" for value in (each.champion, each.challenger))
        style = "red" if each.verdict != "not worse" else None
        table.add_row(each.name, *figures, f"{each.margin:g}", each.verdict, style=style)
    console.print(table)
