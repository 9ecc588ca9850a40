"""`ml-ids check-config`: the settings in effect."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from inference_server.cli.reading import one_line_errors
from inference_server.settings import load_settings
from inference_server.settings_table import effective_settings


def check_config() -> None:
    """Show the settings in effect, secrets masked; exit 1 when one is wrong."""
    with one_line_errors():
        settings = load_settings()
    table = Table("setting", "value")
    for name, value in effective_settings(settings):
        table.add_row(name, value)
    Console().print(table, markup=False)
