"""`ml-ids self-test`: does the model that serves see attacks of every family?"""

from __future__ import annotations

import time

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from capture.warm_up import warm_up_files
from inference_server.champion import champion_for_commands
from inference_server.cli.reading import errors, one_line_errors
from inference_server.live_capture import live_rules
from inference_server.self_test.cases import CASES
from inference_server.self_test.run import Answer, answer
from inference_server.settings import load_settings


def self_test() -> None:
    """Replay a small capture of every family of attacks; exit 1 unless each gives an alert, and benign none.

    The captures go through the meter, the model that serves and the alert policy, as live packets do. Nothing
    is sent, and no file of the service is written.
    """
    with one_line_errors():
        settings = load_settings()
        scorer = champion_for_commands(settings)
        with errors.status("loading the flow meter (compiled on the very first run)"):
            warm_up_files()
        began = time.monotonic()
        rules, window = live_rules(settings), settings.alert_window_seconds
        answers = [answer(case, scorer, rules, window) for case in CASES]
    attacks = [each for each in answers if not each.case.benign]
    fired = sum(each.fired for each in attacks)
    false = sum(sum(each.alerts.values()) for each in answers if each.case.benign)
    Console(highlight=False).print(_table(answers))
    typer.echo(
        f"{fired}/{len(attacks)} detections fired, {false} false alerts, in "
        f"{time.monotonic() - began:.1f} s: "
        f"{scorer.model_name} version {scorer.model_version}, threshold {scorer.threshold:.6g}"
    )
    if not all(each.right for each in answers):
        raise typer.Exit(1)


def _table(answers: list[Answer]) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for name in ("capture", "family", "flows flagged"):
        table.add_column(name, no_wrap=True)
    table.add_column("alerts")
    table.add_column("", no_wrap=True)
    for each in answers:
        alerts = ", ".join(f"{count} {label}" for label, count in each.alerts.items()) or "none"
        flagged = f"{each.flagged} of {each.flows}"
        flagged += f", {each.insufficient} not judged" if each.insufficient else ""
        table.add_row(each.case.name, each.case.family, flagged, alerts, _verdict(each))
    return table


def _verdict(given: Answer) -> str:
    if given.right:
        return "[green]right[/]"
    return "[red]false alert[/]" if given.case.benign else "[red]missed[/]"
