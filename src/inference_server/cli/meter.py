"""`ml-ids meter`: captures to flows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
import typer

from capture.dialects import feature_names
from capture.rules import LiveRules
from context.features import CONTEXT_NAMES
from flows.csv_files import CsvFlowWriter
from flows.parquet_files import ParquetFlowWriter
from flows.table import FlowTable
from inference_server.cli.reading import ReadingBar, ahead, one_line_errors, output_format, whole_file

HeaderName = Literal["cic-2017", "cic-2018", "cic-v4", "improved", "improved-2024", "snake"]
DialectName = Literal["improved", "improved-2024", "cic-2018", "cic-2017", "cic-v4"]
FORMATS: Final = (".parquet", ".csv")


def meter(
    captures: Annotated[
        list[Path], typer.Argument(metavar="CAPTURE...", help="pcap or pcapng files, also .gz and .zst")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="the flows, .parquet or .csv")],
    dialect: Annotated[
        DialectName, typer.Option(help="which CICFlowMeter's rules measure; docs/features.md")
    ] = "improved",
    header: Annotated[
        HeaderName | None,
        typer.Option(help="column titles of the CSV; the dialect's own when not given"),
    ] = None,
    live_rules: Annotated[
        bool, typer.Option("--live-rules", help="end flows as on a live interface, not as in a file")
    ] = False,
    context: Annotated[
        bool, typer.Option("--context", help="add what each flow's hosts did before: docs/context.md")
    ] = False,
) -> None:
    """Measure the flows of captures and write one row a flow."""
    with one_line_errors(), ReadingBar(captures) as bar:
        suffix = output_format(output, captures, FORMATS)
        if header is not None and suffix != ".csv":
            raise ValueError(f"--header {header} is for .csv: Parquet keeps the canonical names")
        if context and suffix == ".csv":
            raise ValueError("--context is for .parquet: no CSV header has titles for these features")
        flows = 0
        with whole_file(output) as unfinished, _writer(unfinished, header) as writer:
            for table in ahead(_tables(bar, captures, dialect, LiveRules() if live_rules else None, context)):
                writer.write(table)
                flows += len(table)
            if not flows:
                names = feature_names(dialect) + (CONTEXT_NAMES if context else ())
                writer.write(FlowTable.from_features(np.empty((0, len(names))), names, dialect))
        typer.echo(f"{output}: {flows:,} flows of {bar.counted()} in {bar.seconds:.1f} s, {bar.rate()}")


def _writer(path: Path, header: HeaderName | None) -> CsvFlowWriter | ParquetFlowWriter:
    return CsvFlowWriter(path, header) if path.suffix.lower() == ".csv" else ParquetFlowWriter(path)


def _tables(
    bar: ReadingBar,
    captures: list[Path],
    dialect: DialectName,
    live_rules: LiveRules | None,
    context: bool,
) -> Iterator[FlowTable]:
    for path in captures:
        for table in bar.capture(path, live_rules, dialect=dialect, context=context):
            if len(captures) == 1:
                yield table
            else:
                # The rows of one file have one interface; which capture they are of is a column.
                column = {"capture": np.full(len(table), str(path), dtype=object)}
                yield replace(table, interface="", extras=column)
