"""`ml-ids data`: training data of any of the sets, looked at and converted."""

from __future__ import annotations

import typer

from inference_server.cli.data_convert import convert
from inference_server.cli.data_describe import describe
from inference_server.cli.data_load import load

data = typer.Typer(help="Training data: labelled flows of any of the sets.")
data.command()(describe)
data.command()(convert)
data.command()(load)
