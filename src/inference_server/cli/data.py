"""`ml-ids data`: training data of any of the sets, looked at, converted and split."""

from __future__ import annotations

import typer

from inference_server.cli.data_convert import convert
from inference_server.cli.data_describe import describe
from inference_server.cli.data_load import load
from inference_server.cli.data_split import split

data = typer.Typer(help="Training data: labelled flows of any of the sets.")
data.command()(describe)
data.command()(convert)
data.command()(load)
data.command()(split)
