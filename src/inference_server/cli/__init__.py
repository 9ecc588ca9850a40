"""The `ml-ids` command; each sub-command is a module of its own."""

from __future__ import annotations

import typer

from inference_server.cli.calibrate import calibrate
from inference_server.cli.check_config import check_config
from inference_server.cli.compare_extractors import compare_extractors
from inference_server.cli.evaluate import evaluate
from inference_server.cli.meter import meter
from inference_server.cli.models import models
from inference_server.cli.outbox import outbox
from inference_server.cli.promote import promote
from inference_server.cli.rollback import rollback
from inference_server.cli.score import score
from inference_server.cli.serve import serve
from inference_server.cli.setup_extractor import setup_extractor
from inference_server.cli.train import train
from inference_server.cli.upgrade import upgrade

app = typer.Typer(
    name="ml-ids",
    help="A network intrusion detection sensor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(meter)
app.command()(score)
app.command()(evaluate)
app.command()(train)
app.command()(calibrate)
app.add_typer(models, name="models")
app.command()(promote)
app.command()(rollback)
app.add_typer(outbox, name="outbox")
app.command()(upgrade)
app.command()(check_config)
app.command()(setup_extractor)
app.command()(compare_extractors)
