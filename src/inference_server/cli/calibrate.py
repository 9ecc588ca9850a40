"""`ml-ids calibrate`: the operating threshold for the operator's own traffic."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from detection.applied_threshold import AppliedThreshold, write_applied
from detection.calibration import Coverage, Flagged, ScoredTraffic
from detection.scorer import Scorer
from flows.table import UNKNOWN_TIME, FlowTable
from inference_server.champion import champion_for_commands
from inference_server.cli.inputs import LAST_HELP, Inputs, check_features, chosen_inputs
from inference_server.cli.reading import ReadingBar, errors, one_line_errors
from inference_server.live_capture import captured_dialect
from inference_server.operating_threshold import threshold_in_force
from inference_server.settings import Settings, load_settings

SHORT_SECONDS: Final = 3600
GRID: Final = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 0.999999)
BAR_WIDTH: Final = 40
ATTACK_CAPTURES: Final = "attack captures/flagged of scored flows"


def calibrate(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[CAPTURE_OR_FLOWS...]",
            help="traffic without attacks: captures, files of flows, or the directory of an archive; this "
            "sensor's own archive when only --last is given",
        ),
    ] = None,
    alerts_per_day: Annotated[
        float | None, typer.Option("--alerts-per-day", min=0, help="flagged flows a day that are acceptable")
    ] = None,
    last: Annotated[str | None, typer.Option(metavar="TIME", help=LAST_HELP)] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="put the threshold in force, for this version of the model")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="take an applied threshold back: the model's own is in force")
    ] = False,
) -> None:
    """Find the lowest threshold that flags at most so many flows a day of your own benign traffic."""
    with one_line_errors():
        settings = load_settings()
        if reset:
            _reset(settings, inputs, alerts_per_day, last, apply)
            return
        if alerts_per_day is None:
            raise ValueError("say how many flagged flows a day are acceptable: --alerts-per-day 10")
        chosen = chosen_inputs(inputs, last, settings)
        scorer = champion_for_commands(settings)
        with ReadingBar(chosen.paths) as bar:
            traffic = _scored(bar, chosen, scorer, {scorer.record.dialect, captured_dialect(settings)})
        threshold = traffic.threshold_for(alerts_per_day)
        _show(traffic, scorer, threshold, alerts_per_day, threshold_in_force(settings, scorer).value)
        if apply:
            _apply(settings, scorer, threshold, alerts_per_day, traffic)


def _reset(settings: Settings, *others: object) -> None:
    if any(others):
        raise ValueError("--reset goes without anything else")
    there = settings.threshold_file.exists()
    settings.threshold_file.unlink(missing_ok=True)
    typer.echo(
        f"{settings.threshold_file}: {'removed' if there else 'there is none'}; the model's own is used"
    )


def _scored(bar: ReadingBar, inputs: Inputs, scorer: Scorer, dialects: set[str]) -> ScoredTraffic:
    coverage, scores = Coverage(), [np.empty(0)]
    counts: Counter[str] = Counter()
    for path, table in inputs.tables(bar, context=bool(scorer.record.context)):
        if table.dialect not in dialects:
            counts[table.dialect] += len(table)
            continue
        _check(path, table, scorer)
        verdicts = scorer.score(table)
        scores.append(verdicts.p_attack[~verdicts.insufficient])
        counts["insufficient"] += int(verdicts.insufficient.sum())
        coverage.add(table.start_us, table.end_us)
    insufficient = counts.pop("insufficient", 0)
    for dialect, flows in counts.items():
        bar.warn(f"{flows:,} flows of dialect {dialect} left out: the model reads {scorer.record.dialect}")
    if not coverage.seconds:
        raise ValueError("there is no traffic to calibrate on: no flow, or none that lasts")
    return ScoredTraffic(np.concatenate(scores), insufficient, coverage.seconds)


def _check(path: Path, table: FlowTable, scorer: Scorer) -> None:
    check_features(path, table, scorer)
    if (table.start_us == UNKNOWN_TIME).any() or (table.end_us == UNKNOWN_TIME).any():
        raise ValueError(
            f"{path}: flows without their time, so that nothing is known of a day: give the capture, or "
            "flows that ml-ids meter made"
        )


def _show(
    traffic: ScoredTraffic, scorer: Scorer, threshold: float, alerts_per_day: float, in_force: float
) -> None:
    console = Console(highlight=False)
    names: defaultdict[float, list[str]] = defaultdict(list)
    named = ((threshold, "found"), (in_force, "in force"), (scorer.record.threshold, "the model's own"))
    for value, name in named:
        names[value].append(name)
    console.print(
        f"{traffic.flows:,} flows in {_duration(traffic.seconds)}, {traffic.insufficient:,} of them "
        f"insufficient; model {scorer.model_name} version {scorer.model_version}"
    )
    console.print(_trade_off(traffic.around(alerts_per_day, names), names))
    console.print(_plot([traffic.at(value) for value in sorted({*GRID, threshold})], threshold))
    found = scorer.record.figures.get(ATTACK_CAPTURES)
    if found is not None:
        console.print(
            f"At its own threshold, {scorer.record.threshold:.6f}, the model flagged {found:.1%} of the "
            "flows of attack captures that it could judge; above that it finds fewer, below more."
        )
    if traffic.seconds < SHORT_SECONDS:
        errors.print("warning: less than an hour of traffic says little of a day", style="yellow")
    elif alerts_per_day * traffic.days < 1:
        errors.print(
            f"warning: {alerts_per_day:g} a day is not one flow in {_duration(traffic.seconds)}: "
            "more traffic would give a lower threshold",
            style="yellow",
        )
    console.print(
        f"threshold {threshold:.6f}: at most {alerts_per_day:g} flagged flows a day of such traffic"
    )


def _trade_off(rows: list[Flagged], names: Mapping[float, list[str]]) -> Table:
    table = Table()
    for title in ("threshold", "flagged a day", "share of flows"):
        table.add_column(title, justify="right")
    table.add_column("")
    for row in rows:
        name = ", ".join(names.get(row.threshold, ()))
        table.add_row(f"{row.threshold:.6f}", f"{row.a_day:,.1f}", f"{row.share:.4%}", name)
    return table


def _plot(rows: list[Flagged], threshold: float) -> Table:
    """Return bars of the flagged flows a day on a logarithmic scale, one a threshold."""
    table = Table(title="flagged flows a day, logarithmic", title_justify="left", box=None)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    longest = max(np.log10(1 + row.a_day) for row in rows) or 1.0
    for row in rows:
        bar = Bar(longest, 0, float(np.log10(1 + row.a_day)), width=BAR_WIDTH)
        mark = "found" if row.threshold == threshold else ""
        table.add_row(f"{row.threshold:.6f}", bar, f"{row.a_day:,.1f} {mark}".strip())
    return table


def _apply(
    settings: Settings, scorer: Scorer, threshold: float, alerts_per_day: float, traffic: ScoredTraffic
) -> None:
    applied = AppliedThreshold(
        model_name=scorer.model_name,
        model_version=scorer.model_version,
        threshold=threshold,
        alerts_per_day=alerts_per_day,
        flows=traffic.flows,
        seconds=traffic.seconds,
        made_at=datetime.now(UTC),
    )
    write_applied(settings.threshold_file, applied)
    typer.echo(f"{settings.threshold_file}: applied; a running service takes it up within seconds")
    if settings.detection_threshold is not None:
        errors.print(
            f"warning: DETECTION_THRESHOLD={settings.detection_threshold:g} is in force instead: unset it",
            style="yellow",
        )


def _duration(seconds: float) -> str:
    hours = seconds / 3600
    return (
        f"{hours / 24:.1f} days"
        if hours >= 48
        else f"{hours:.1f} hours"
        if hours >= 1
        else f"{seconds:.0f} s"
    )
