"""`ml-ids upgrade`: the state of an earlier version, for this one."""

from __future__ import annotations

import typer

from inference_server.cli.reading import one_line_errors
from inference_server.settings import export_library_variables, load_settings
from inference_server.state_upgrade import upgrade_state


def upgrade() -> None:
    """Back up STATE_DIR and migrate its registry and outbox; run it while the service is stopped."""
    with one_line_errors():
        settings = load_settings()
        export_library_variables()
        for said in upgrade_state(settings):
            typer.echo(said)
