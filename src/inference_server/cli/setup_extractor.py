"""`ml-ids setup-extractor`: the environment of PyPI cicflowmeter."""

from __future__ import annotations

from typing import Annotated

import typer

from capture.extractors.environment import RELEASES, default_release, make_environment
from inference_server.cli.reading import errors, one_line_errors
from inference_server.settings import load_settings


def setup_extractor(
    release: Annotated[
        str | None,
        typer.Option(
            help=f"release of cicflowmeter: {' or '.join(RELEASES)}; when not given the one that is there, "
            f"or {default_release()}, which this Python gets from the package index",
        ),
    ] = None,
) -> None:
    """Install PyPI cicflowmeter, pinned, into an environment of its own under STATE_DIR/tools."""
    with one_line_errors():
        settings = load_settings()
        with errors.status("making the environment of PyPI cicflowmeter"):
            environment = make_environment(settings.tools_dir, release)
    typer.echo(
        f"cicflowmeter {environment.release} is in {environment.python.parent.parent}; "
        "CAPTURE_EXTRACTOR=cicflowmeter captures with it, ml-ids compare-extractors compares it"
    )
