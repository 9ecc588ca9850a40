"""`ml-ids evaluate --all`: an estimator on all splits and on other networks, as a report."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from detection.promotion_gate import keep_figures
from inference_server.cli.reading import errors
from inference_server.cli.registry import model_name, registered_scorer, settings_registry, version_of
from inference_server.cli.remote_data import remote_data
from inference_server.settings import load_settings

if TYPE_CHECKING:
    from training.estimators import Kind
    from training.report.inputs import Inputs
    from training.report.study import Report

ALL: Final = "all"
PARAM: Final = "param/"
"""Before the names of an estimator's parameters, among those of a run."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        data: labelled flows: files, folders or URLs.
        captures: a folder with a MANIFEST.csv, None for none.
        rules: label rules of the captures, None for those beside them.
        across: labelled flows of other networks.
        beside: more labelled flows, from which the estimator in question learns too.
        context: what hosts did before is a feature too.
        estimator: a kind's name, "" for the default.
        compare: names of other kinds, or "all".
        out: the report's folder.
        readme: the file whose table is replaced, None for none.
        model: the registered version that the figures are kept with, "" for none.
    """

    data: tuple[str, ...]
    captures: Path | None
    rules: Path | None
    across: tuple[str, ...]
    beside: tuple[str, ...]
    context: bool
    estimator: str
    compare: tuple[str, ...]
    out: Path
    readme: Path | None
    model: str


def evaluate_all(request: Request) -> None:
    """Make the report and say where it is.

    Raises:
        OSError: something cannot be read or written.
        ValueError: what is asked for does not fit; or a package is missing.
    """
    if not request.data:
        raise ValueError("--all needs --data: labelled flows to train and to test on")
    if request.model and request.estimator:
        raise ValueError("--model says which estimator: that of the version; leave --estimator out")
    try:
        from training.estimators import ESTIMATORS
        from training.report.files import put_between_markers, summary, write_report
        from training.report.study import comparable, study
    except ModuleNotFoundError as error:
        raise ValueError(f"evaluation needs {error.name}: pip install 'ml-ids[sensor,training]'") from None
    kind, params = _kind(request)
    compared = tuple(ESTIMATORS) if ALL in request.compare else request.compare
    for name in compared:
        comparable(name)
    with progress_line() as told:
        inputs = _inputs(request)
        report = study(inputs, kind, params=params, compare=compared, told=told)
        told("writing")
        files = write_report(report, request.out)
        _log(request, inputs, report)
    if request.model:
        _keep(request.model, report)
    if request.readme:
        put_between_markers(request.readme, summary(report))
    _show(Console(highlight=False), report)
    typer.echo(f"{files[0]} and {len(files) - 1} files beside it")


def _log(request: Request, inputs: Inputs, report: Report) -> None:
    from training.tracking import log_run, origin_of

    found = report.default
    origin = origin_of((inputs.flows,), request.data, {"estimator": found.kind} | found.params)
    with settings_registry() as (settings, registry), registry.client() as client:
        experiment = registry.experiment(client, model_name(settings))
        log_run(client, experiment, f"evaluation {found.kind}", origin, found.metrics(), request.out)


def _kind(request: Request) -> tuple[Kind, dict[str, Any]]:
    """Return what is evaluated, and its parameters: what was asked for, or the version's, or the default."""
    from training.estimators import DEFAULT, kind_named
    from training.report.as_registered import as_registered

    if request.estimator or not request.model:
        return kind_named(request.estimator or DEFAULT), {}
    scorer = registered_scorer(request.model)
    if scorer.record.estimator:
        return kind_named(scorer.record.estimator), _params(request.model)
    errors.print(
        f"warning: {request.model} was not made here: it is measured as it is, on flows that it may have "
        "been trained on",
        style="yellow",
        markup=False,
    )
    return as_registered(scorer), {}


def _params(model: str) -> dict[str, Any]:
    """Return the parameters that a version's run says it was fitted with."""
    with settings_registry() as (settings, registry):
        version = registry.find(version_of(model, settings))
        with registry.client() as client:
            run_id = client.get_model_version(version.name, version.number).run_id
            found = client.get_run(run_id).data.params if run_id else {}
    return {name.removeprefix(PARAM): _value(text) for name, text in found.items() if name.startswith(PARAM)}


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _keep(model: str, report: Report) -> None:
    with settings_registry() as (settings, registry):
        version = registry.find(version_of(model, settings))
        with registry.client() as client:
            figures = report.default.metrics()
            keep_figures(client, version.name, version.number, figures, report.data.sha256)
        typer.echo(f"{version}: {len(figures)} figures kept, for ml-ids promote")


@contextmanager
def progress_line() -> Iterator[Callable[[str], None]]:
    """Show what is done and for how long, as the given function is told."""
    progress = Progress(
        SpinnerColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    )
    task = progress.add_task("reading")
    with progress:
        yield lambda text: progress.update(task, description=text)


def _inputs(request: Request) -> Inputs:
    from training.capture_set import read_captures
    from training.report.inputs import Inputs
    from training.sources.read import ReadOptions, read_training_data, with_repeated
    from training.sources.remote import shown

    with remote_data(load_settings()) as fetching:
        options = ReadOptions(context=request.context, fetching=fetching)
        flows = read_training_data(request.data, options=options)
        repeated = with_repeated(request.data, flows, options)
        options = replace(options, names=flows.names)
        beside = read_training_data(request.beside, options=options) if request.beside else None
        others = {
            Path(shown(name)).name: read_training_data([name], options=options) for name in request.across
        }
    return Inputs(
        flows=flows,
        captures=read_captures(request.captures, flows.names, dialect=flows.dialect, rules=request.rules)
        if request.captures
        else (),
        repeated=repeated,
        others=others,
        beside=beside,
    )


def _show(console: Console, report: Report) -> None:
    table = Table()
    for title in ("on", "macro F1", "n >= 30", "attack recall", "false positives", "recall at 0.1 %"):
        table.add_column(title, justify="left" if title == "on" else "right")
    for each in (*report.default.splits, *report.default.elsewhere):
        found = each.evaluation
        table.add_row(
            each.on,
            f"{found.macro_f1:.4f}",
            f"{found.headline_f1:.4f}",
            f"{found.attacks_called:.2%}",
            f"{found.benign_called:.2%}",
            f"{each.curves.recall_at_allowed:.2%}",
        )
    console.print(table)
    for reason in report.default.skipped.values():
        errors.print(f"not measured: {reason}", style="yellow", markup=False)
