"""`ml-ids check-config`: the settings in effect, and the identities they give."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from inference_server.cli.reading import one_line_errors
from inference_server.configuration.settings_table import effective_settings
from inference_server.identities import identities
from inference_server.settings import export_library_variables, load_settings
from inference_server.transports import check_transports
from inference_server.web.tls import server_context


def check_config() -> None:
    """Show the settings in effect and the identities they give, secrets masked; exit 1 when one is wrong."""
    with one_line_errors():
        settings = load_settings()
        export_library_variables()
        check_transports(settings)
        server_context(settings)
    table = Table("setting", "value")
    for name, value in effective_settings(settings):
        table.add_row(name, value)
    console = Console()
    console.print(table, markup=False)
    table = Table("part", "identity")
    for part, identity in identities(settings):
        table.add_row(part, identity)
    console.print(table, markup=False)
