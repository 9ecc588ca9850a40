"""`ml-ids evaluate`: what a model does with labelled flows, and with the sensor's own."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from detection.calibration import SECONDS_A_DAY, Coverage
from detection.scorer import Scorer
from flows.label_rules import read_label_rules
from flows.table import UNKNOWN_TIME, FlowTable
from flows.verdicts import Verdicts
from inference_server.champion import champion_for_commands
from inference_server.cli.evaluate_all import Request, evaluate_all
from inference_server.cli.inputs import LAST_HELP, check_features, chosen_inputs
from inference_server.cli.reading import ReadingBar, one_line_errors, output_format, whole_file
from inference_server.cli.registry import registered_scorer
from inference_server.settings import load_settings
from training.cleaning import UNKNOWN, true_codes
from training.confusion import Confusion
from training.sources.captures import is_capture, rules_for

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[CAPTURE_OR_FLOWS...]",
        help="files of flows with a label, captures, or the directory of an archive; this sensor's own "
        "archive when only --last is given",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="VERSION",
        help="VERSION, NAME/VERSION or NAME@ALIAS; else what serves. With --all: the version that the "
        "figures are kept with, for ml-ids promote",
    ),
]
Data = Annotated[
    list[str] | None, typer.Option(metavar="FLOWS", help="with --all: labelled flows; may be repeated")
]
Captures = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="with --all: captures of other networks, with a MANIFEST.csv"),
]
RulesOf = Annotated[
    Path | None,
    typer.Option(
        metavar="YAML|FOLDER",
        help="label rules of captures, or a folder of NAME.labels.yaml, instead of those beside them",
    ),
]
Across = Annotated[
    list[str] | None,
    typer.Option(metavar="FLOWS", help="with --all: labelled flows of another network; may be repeated"),
]
Beside = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FLOWS",
        help="with --all: more labelled flows to learn from, on which no split is measured; may be repeated",
    ),
]
Compare = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="with --all: another estimator beside it, or all; may be repeated"),
]


@dataclass(slots=True)
class Unlabelled:
    """Flows that nobody labelled: all that can be said is what is flagged.

    Attributes:
        flows, insufficient, flagged: how many.
        coverage: the time they cover.
    """

    flows: int = 0
    insufficient: int = 0
    flagged: int = 0
    coverage: Coverage = field(default_factory=Coverage)

    def add(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Count a table in."""
        self.flows += len(table)
        self.insufficient += int(verdicts.insufficient.sum())
        self.flagged += int(verdicts.is_attack.sum())
        known = (table.start_us != UNKNOWN_TIME) & (table.end_us != UNKNOWN_TIME)
        self.coverage.add(table.start_us[known], table.end_us[known])

    @property
    def flagged_a_day(self) -> float | None:
        """Flagged flows a day of such traffic, None when its time is unknown."""
        seconds = self.coverage.seconds
        return self.flagged * SECONDS_A_DAY / seconds if seconds else None


def evaluate(
    inputs: Paths = None,
    last: Annotated[str | None, typer.Option(metavar="TIME", help=LAST_HELP)] = None,
    model: Model = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="the figures and every count, .json")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="the whole report: train on --data, split in several ways")
    ] = False,
    data: Data = None,
    captures: Captures = None,
    rules: RulesOf = None,
    across: Across = None,
    beside: Beside = None,
    context: Annotated[
        bool, typer.Option("--context", help="with --all: what hosts did before is a feature too")
    ] = False,
    estimator: Annotated[
        str, typer.Option(metavar="NAME", help="with --all: what is evaluated; else the default")
    ] = "",
    compare: Compare = None,
    out: Annotated[Path, typer.Option(help="with --all: where the report goes")] = Path("docs/evaluation"),
    readme: Annotated[
        Path | None, typer.Option(help="with --all: the file whose table between its markers is replaced")
    ] = None,
) -> None:
    """Measure a model at its operating threshold, or with --all an estimator on splits and other networks."""
    with one_line_errors():
        if everything:
            evaluate_all(
                Request(
                    data=tuple(data or ()),
                    captures=captures,
                    rules=rules,
                    across=tuple(across or ()),
                    beside=tuple(beside or ()),
                    context=context,
                    estimator=estimator,
                    compare=tuple(compare or ()),
                    out=out,
                    readme=readme,
                    model=model,
                )
            )
            return
        if data or captures or across or context or estimator or compare or readme:
            raise ValueError(
                "--data, --captures, --across, --context, --estimator, --compare and --readme go with --all"
            )
        _evaluate_model(inputs, last, model, output, rules)


def _evaluate_model(
    inputs: list[Path] | None, last: str | None, model: str, output: Path | None, rules: Path | None
) -> None:
    settings = load_settings()
    chosen = chosen_inputs(inputs, last, settings)
    if output:
        output_format(output, chosen.paths, (".json",))
    scorer = registered_scorer(model) if model else champion_for_commands(settings)
    confusion, unlabelled, warned = Confusion(), Unlabelled(), set[Path]()
    with ReadingBar(chosen.paths) as bar:
        for path, table in chosen.tables(bar, context=bool(scorer.record.context)):
            check_features(path, table, scorer)
            if table.dialect != scorer.record.dialect and path not in warned:
                warned.add(path)
                bar.warn(f"{path}: dialect {table.dialect}, but the model reads {scorer.record.dialect}")
            told = with_labels(table, path, rules)
            _count(told, true_codes(told, path), scorer, confusion, unlabelled)
    if not len(confusion) and not unlabelled.flows:
        raise ValueError("there is no flow to evaluate on")
    _show(Console(highlight=False), scorer, confusion, unlabelled)
    if output:
        with whole_file(output) as unfinished:
            unfinished.write_text(json.dumps(_report(scorer, confusion, unlabelled), indent=2) + "\n")


def with_labels(table: FlowTable, path: Path, rules: Path | None) -> FlowTable:
    """Return the flows of a capture with the labels that its rules give them, if it has any."""
    found = rules_for(path, rules) if is_capture(path) else None
    if found is None:
        return table
    return replace(table, extras={**table.extras, "label": read_label_rules(found).labels(table)})


def _count(
    table: FlowTable, codes: NDArray[np.int32], scorer: Scorer, confusion: Confusion, unlabelled: Unlabelled
) -> None:
    verdicts = scorer.score(table)
    known = codes != UNKNOWN
    if known.any():
        confusion.add(codes[known], verdicts.take(known))
    if not known.all():
        rows = np.flatnonzero(~known)
        unlabelled.add(table.take(rows), verdicts.take(rows))


def _show(console: Console, scorer: Scorer, confusion: Confusion, unlabelled: Unlabelled) -> None:
    console.print(
        f"model {scorer.model_name} version {scorer.model_version}, threshold {scorer.threshold:.6g}"
    )
    if len(confusion):
        console.print(_table(confusion))
        console.print(
            f"{len(confusion):,} labelled flows: accuracy {confusion.accuracy:.4f}, macro F1 "
            f"{confusion.macro_f1:.4f}; insufficient flows count as missed"
        )
    if unlabelled.flows:
        judged = unlabelled.flows - unlabelled.insufficient
        share = f", {unlabelled.flagged / judged:.3%} of those it can judge" if judged else ""
        daily = unlabelled.flagged_a_day
        console.print(
            f"{unlabelled.flows:,} flows without a label, {unlabelled.insufficient:,} of them insufficient: "
            f"{unlabelled.flagged:,} flagged{share}"
            + ("" if daily is None else f", {daily:,.1f} a day of such traffic")
        )


def _table(confusion: Confusion) -> Table:
    table = Table()
    table.add_column("class", no_wrap=True)
    for title in ("flows", "insufficient", "flagged", "precision", "recall", "F1"):
        table.add_column(title, justify="right")
    for found in confusion.classes():
        figures = (found.precision, found.recall, found.f1)
        table.add_row(
            found.name,
            f"{found.n:,}",
            f"{found.insufficient:,}",
            f"{found.flagged / found.n:.2%}" if found.n else "",
            *("" if figure is None else f"{figure:.4f}" for figure in figures),
        )
    return table


def _report(scorer: Scorer, confusion: Confusion, unlabelled: Unlabelled) -> dict[str, Any]:
    report: dict[str, Any] = {
        "model": {"name": scorer.model_name, "version": scorer.model_version},
        "threshold": scorer.threshold,
    }
    if len(confusion):
        report["labelled"] = {
            "flows": len(confusion),
            "accuracy": confusion.accuracy,
            "macro_f1": confusion.macro_f1,
            "classes": {found.name: asdict(found) for found in confusion.classes()},
            "confusion": confusion.matrix(),
        }
    if unlabelled.flows:
        report["unlabelled"] = {
            "flows": unlabelled.flows,
            "insufficient": unlabelled.insufficient,
            "flagged": unlabelled.flagged,
            "seconds": unlabelled.coverage.seconds,
            "flagged_a_day": unlabelled.flagged_a_day,
        }
    return report
