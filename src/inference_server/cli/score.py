"""`ml-ids score`: captures or flows to verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console

from detection.scorer import Scorer
from flows.s3 import SCHEME
from flows.table import FlowTable
from flows.verdicts import Verdicts
from inference_server.champion import champion_for_commands
from inference_server.cli.engine import Engine
from inference_server.cli.inputs import LAST_HELP, Inputs, check_features, chosen_inputs
from inference_server.cli.reading import ReadingBar, ahead, one_line_errors, output_format, whole_file
from inference_server.cli.score_captures import is_place, score_captures
from inference_server.cli.verdict_files import open_verdict_file
from inference_server.cli.verdict_summary import verdict_summary
from inference_server.settings import Settings, load_settings

FORMATS: Final = (".parquet", ".csv", ".jsonl")
ROWS_AT_ONCE: Final = 1 << 14


def score(
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help="the verdicts, .parquet, .csv or .jsonl; or FOLDER/ or s3://BUCKET/PREFIX/ for one file of "
            "flows and verdicts a capture: what is there already is kept",
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CAPTURE_OR_FLOWS...]",
            help="pcap, pcapng, .parquet, .csv, .csv.gz, .csv.xz, or the directory of an archive; this "
            "sensor's own archive when only --last is given; into a folder captures only, also patterns and "
            "s3://BUCKET/*.pcap",
        ),
    ] = None,
    last: Annotated[str | None, typer.Option(metavar="TIME", help=LAST_HELP)] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="say which features moved each attack's verdict; .jsonl only")
    ] = False,
    engine: Annotated[
        Engine, typer.Option(help="who scores into a folder: this process, or the cluster of RAY_ADDRESS")
    ] = Engine.LOCAL,
) -> None:
    """Score captures or files of flows with the model that would serve; one row a flow."""
    with one_line_errors():
        settings = load_settings()
        if is_place(output):
            if last is not None or explain:
                raise ValueError(f"{output}: --last and --explain need a file: -o verdicts.jsonl")
            if not inputs:
                raise ValueError("name captures")
            score_captures(inputs, output, engine, settings)
            return
        if engine is not Engine.LOCAL or any(name.startswith(SCHEME) for name in inputs or ()):
            raise ValueError(
                f"{output}: --engine ray, and captures on S3, need a folder: -o FOLDER/ or -o s3://BUCKET/PREFIX/"
            )
        _score_into_file(Path(output), inputs, last, settings, explain=explain)


def _score_into_file(
    output: Path, inputs: list[str] | None, last: str | None, settings: Settings, *, explain: bool
) -> None:
    chosen = chosen_inputs([Path(name) for name in inputs or ()], last, settings)
    if output_format(output, chosen.paths, FORMATS) != ".jsonl" and explain:
        raise ValueError(f"{output}: --explain needs an output whose name ends in .jsonl")
    scorer = champion_for_commands(settings)
    labels: Counter[str] = Counter()
    with (
        ReadingBar(chosen.paths) as bar,
        whole_file(output) as unfinished,
        open_verdict_file(unfinished) as file,
    ):
        for table in ahead(_tables(bar, chosen, scorer)):
            verdicts = scorer.score(table)
            labels.update(verdicts.labels().tolist())
            file.write(table, _with_explanations(scorer, table, verdicts) if explain else verdicts)
    read = f"{bar.counted()} in {bar.seconds:.1f} s, {bar.rate()}" if bar.packets else f"{bar.seconds:.1f} s"
    model = f"{scorer.model_name} version {scorer.model_version}, threshold {scorer.threshold:.6g}"
    Console(highlight=False).print(verdict_summary(labels))
    typer.echo(f"{output}: {read}; {model}")


def _tables(bar: ReadingBar, inputs: Inputs, scorer: Scorer) -> Iterator[FlowTable]:
    """Yield the flows of all inputs in small tables whose interface is the input's path."""
    for path, table in inputs.tables(bar, context=bool(scorer.record.context)):
        check_features(path, table, scorer)
        for start in range(0, len(table), ROWS_AT_ONCE):
            yield replace(table.take(slice(start, start + ROWS_AT_ONCE)), interface=str(path))


def _with_explanations(scorer: Scorer, table: FlowTable, verdicts: Verdicts) -> Verdicts:
    """Return the verdicts with explanations of the attacks."""
    attacks = np.flatnonzero(verdicts.is_attack)
    found = dict(zip(attacks.tolist(), scorer.explain(table.take(attacks)), strict=True))
    return replace(verdicts, explanations=tuple(map(found.get, range(len(table)))))
