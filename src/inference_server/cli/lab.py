"""`ml-ids lab`: the testbed, labelled captures of hosts that it makes itself."""

from __future__ import annotations

import signal
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from inference_server.cli.reading import errors, one_line_errors

if TYPE_CHECKING:
    from lab.campaign import Run
    from lab.outcome import Outcome
    from lab.output import FlowCounts

NOT_HERE = "the lab is in a checkout of the project alone: git clone it, make setup, .venv/bin/ml-ids lab"
lab = typer.Typer(
    help="The testbed: hosts in network namespaces, real services and tools.", no_args_is_help=True
)


@lab.command()
def run(
    scenarios: Annotated[
        list[str],
        typer.Argument(metavar="SCENARIO...", help="names that `ml-ids lab scenarios` lists, or .yaml files"),
    ],
    out: Annotated[Path, typer.Option(help="the folder for captures, label rules and flows")] = Path("lab"),
    seed: Annotated[int, typer.Option(help="of everything that is drawn")] = 1,
    flows_only: Annotated[bool, typer.Option("--flows-only", help="do not keep the captures")] = False,
) -> None:
    """Run scenarios, one after the other: a capture, label rules and labelled flows of each. Needs root."""
    with one_line_errors():
        try:
            from lab.output import Files, write_flows
            from lab.run import run_scenario
            from lab.scenario import find_scenario
        except ModuleNotFoundError as error:
            raise ValueError(_missing(error)) from None

        # Told to end, it still puts everything away.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        found = [find_scenario(name) for name in scenarios]
        out.mkdir(parents=True, exist_ok=True)
        for scenario in found:
            files = Files(out, f"{scenario.name}-{seed}")
            with errors.status(f"{scenario.name}: {scenario.seconds:.0f} s"):
                outcome = run_scenario(scenario, seed, files.capture, progress=_tell)
            counts = write_flows(files, outcome.rules)
            if flows_only:
                files.capture.unlink()
            _report(outcome, counts, files.flows)


@lab.command()
def campaign(
    name: Annotated[
        str, typer.Argument(metavar="CAMPAIGN", help="full, which data/lab is of, or a .yaml file")
    ] = "full",
    output: Annotated[Path, typer.Option("--output", "-o", help="the folder for the flows")] = Path(
        "var/campaign"
    ),
    seed: Annotated[int, typer.Option(min=0, help="of everything that is drawn")] = 1,
    at_once: Annotated[int, typer.Option(min=1, max=8, help="so many runs at the same time")] = 1,
) -> None:
    """Run a whole campaign: labelled flows of every scenario with several seeds. Needs root.

    Runs whose flows are in the folder already are not repeated: an interrupted campaign goes on.
    """
    with one_line_errors():
        try:
            from lab.campaign import find_campaign, run_campaign
            from lab.datasheet import DATASHEET, datasheet
        except ModuleNotFoundError as error:
            raise ValueError(_missing(error)) from None

        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        found = find_campaign(name)
        command = f"ml-ids lab campaign {name} --seed {seed}"
        wanted = len(found.seeds(seed))
        made = 0

        def done(run: Run) -> None:
            nonlocal made
            made += 1
            label = _listed(Counter(run.labels))
            typer.echo(f"{made} of {wanted}: {run.file}: {label}")
            if run.missed:
                _tell(f"{run.file}: the recorder missed {run.missed:,} packets")
            if run.undone:
                _tell(f"{run.file}: {_listed(Counter(run.undone))}")

        with errors.status(f"{found.name}: {wanted} runs"):
            record = run_campaign(found, seed, output, at_once=at_once, command=command, done=done)
        (output / DATASHEET).write_text(datasheet(record), encoding="utf-8")
        typer.echo(f"{output}: {record.labels.total():,} labelled flows: {_listed(record.labels)}")


@lab.command()
def scenarios() -> None:
    """List the scenarios that come with the lab."""
    with one_line_errors():
        try:
            from lab.scenario import own_scenarios, read_scenario
        except ModuleNotFoundError as error:
            raise ValueError(_missing(error)) from None

        table = Table("name", "seconds", "what happens")
        for path in own_scenarios().values():
            scenario = read_scenario(path)
            table.add_row(scenario.name, f"{scenario.seconds:.0f}", scenario.description)
        Console(highlight=False).print(table)


def _missing(error: ModuleNotFoundError) -> str:
    own = (error.name or "").partition(".")[0] == "lab"
    return NOT_HERE if own else f"the lab needs {error.name}: pip install 'ml-ids[sensor,lab]'"


def _tell(text: str) -> None:
    errors.print(f"warning: {text}", style="yellow", markup=False)


def _report(outcome: Outcome, counts: FlowCounts, flows: Path) -> None:
    table = Table("label", title=f"{outcome.scenario.name}, seed {outcome.seed}")
    table.add_column("flows", justify="right")
    for label, count in counts.labels.most_common():
        table.add_row(label, f"{count:,}")
    Console(highlight=False).print(table)
    for text, found in (
        ("flows left out", counts.left_out),
        ("activities left out", outcome.left_out),
        ("activities without a flow", counts.unseen),
        ("tools that failed", outcome.failed),
    ):
        if found.total():
            typer.echo(f"{text}: {_listed(found)}")
    if outcome.missed:
        _tell(f"the recorder missed {outcome.missed:,} packets")
    if outcome.cut:
        _tell(f"stopped after {outcome.packets:,} packets, as the scenario says")
    typer.echo(
        f"{flows}: {counts.labels.total():,} flows of {outcome.packets:,} packets; "
        f"activities: {_listed(outcome.done)}"
    )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common() if count)
