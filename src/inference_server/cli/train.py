"""`ml-ids train`: a model with the operator's own benign traffic in its training."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detection.promotion import promote
from detection.registry import CHALLENGER, Registry
from inference_server.champion import champion_for_commands
from inference_server.cli.inputs import LAST_HELP, Inputs, chosen_inputs
from inference_server.cli.reading import ReadingBar, errors
from inference_server.cli.registry import model_name, settings_registry, told, version_of
from inference_server.settings import Settings

if TYPE_CHECKING:
    from training.baseline import Baseline
    from training.own_model import OwnModel


def train(
    data: Annotated[
        list[Path],
        typer.Option(
            metavar="FLOWS",
            help="the base set: labelled flows, .parquet or .csv, attacks among them; may be repeated, as "
            "for what GET /api/labels gives",
        ),
    ],
    baseline: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CAPTURE_OR_FLOWS",
            help="your own traffic, taken to be benign: a capture, a file of flows, or the directory of an "
            "archive; may be repeated; this sensor's own archive when only --last is given",
        ),
    ] = None,
    last: Annotated[str | None, typer.Option(metavar="TIME", help=LAST_HELP)] = None,
) -> None:
    """Train the default model on a base set and your own benign traffic; it becomes the challenger."""
    with settings_registry() as (settings, registry):
        chosen = chosen_inputs(baseline, last, settings)
        try:
            from training.own_model import train_own_model
            from training.sources.read import read_training_data
        except ModuleNotFoundError as error:
            raise ValueError(f"training needs {error.name}: pip install 'ml-ids[sensor,training]'") from None

        base = read_training_data(data)
        found = _baseline(chosen, base.dialect)
        champion = champion_for_commands(settings)
        with tempfile.TemporaryDirectory(prefix="ml-ids-train-") as scratch:
            package = Path(scratch) / "package"
            flows = len(base) + len(found.train)
            with errors.status(f"fitting on {flows:,} flows, twice: for the figures, and for use"):
                own = train_own_model(base, found, champion, package)
            _register(settings, registry, package, own)


def _baseline(inputs: Inputs, dialect: str) -> Baseline:
    from training.baseline import BaselineSample

    sample, left_out = BaselineSample(), 0
    with ReadingBar(inputs.paths) as bar:
        for path, table in inputs.tables(bar):
            if table.dialect != dialect:
                left_out += len(table)
                continue
            try:
                sample.add(table)
            except KeyError as error:
                raise ValueError(f"{path}: lacks features that training reads: {error.args[0]}") from None
        if left_out:
            bar.warn(f"{left_out:,} flows of another dialect left out: the base set is of {dialect}")
    return sample.baseline()


def _register(settings: Settings, registry: Registry, package: Path, own: OwnModel) -> None:
    version = registry.register(package, model_name(settings))
    before = "" if own.champion_flagged is None else f" (the model that serves: {own.champion_flagged:.3%})"
    typer.echo(
        f"{version}: threshold {own.record.threshold:.6f} flags {own.flagged:.3%} of the {own.held:,} latest "
        f"flows of the baseline{before}; macro F1 {own.evaluation.macro_f1:.4f} on the base set's later flows"
    )
    wanted = version_of(f"{version.name}/{version.number}", settings)
    typer.echo(told(promote(registry, wanted, alias=CHALLENGER), CHALLENGER, settings.model_poll_seconds))
    typer.echo(f"it is scored beside the champion; to let it serve: ml-ids promote {version.number}")
