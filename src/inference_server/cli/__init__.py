"""The `ml-ids` command; each sub-command is a module of its own, imported when it is wanted."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

COMMANDS: Final = (
    "serve",
    "meter",
    "score",
    "evaluate",
    "train",
    "train-local",
    "reproduce",
    "calibrate",
    "data",
    "models",
    "promote",
    "rollback",
    "outbox",
    "upgrade",
    "check-config",
    "sagemaker",
    "setup-extractor",
    "compare-extractors",
    "lab",
    "self-test",
)


class _Commands(TyperGroup):
    """The commands: all imported at once, the service's registry and tables with them, they cost a second."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return _command(cmd_name) if cmd_name in COMMANDS else None


def _command(title: str) -> Any:
    name = title.replace("-", "_")
    try:
        found = getattr(import_module(f"{__name__}.{name}"), name)
    except ModuleNotFoundError as error:
        # The command is there even where only the clients were installed.
        sys.exit(f"error: {error.name} is not installed: pip install 'ml-ids[sensor]'")
    if isinstance(found, typer.Typer):
        group = get_group(found)
        group.name = title
        return group
    alone = typer.Typer(add_completion=False)
    alone.command(title)(found)
    return get_command(alone)


app = typer.Typer(
    cls=_Commands,
    name="ml-ids",
    help="A network intrusion detection sensor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _ml_ids() -> None:
    """Nothing is common to the commands."""
