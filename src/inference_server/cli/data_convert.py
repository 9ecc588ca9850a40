"""`ml-ids data convert`: labelled flows of any set as one file of ours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from inference_server.cli.data_options import (
    Attempted,
    Checksum,
    Context,
    Dialect,
    KeepDuplicates,
    Locations,
    Rows,
    Rules,
    checked,
    counted,
    read_options,
    reading,
    training_errors,
)
from inference_server.cli.reading import output_format, whole_file


def convert(
    sources: Locations,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="the flows: .parquet, .csv (also .gz, .xz) or .h5")
    ],
    attempted: Attempted = "drop",
    dialect: Dialect = None,
    rules: Rules = None,
    nrows: Rows = None,
    keep_duplicates: KeepDuplicates = False,
    context: Context = False,
    sha256: Checksum = None,
) -> None:
    """Clean labelled flows, bring them into the order of time, and write them with their classes' names."""
    with training_errors():
        from training.clean_tables import check_format, read_clean_table, write_flows

        check_format(output)
        if context and output.suffix.lower() != ".parquet":
            raise ValueError("--context is for .parquet: no CSV header has titles for these features")
        output_format(output, [Path(source) for source in sources], (output.suffix.lower(),))
        options = read_options(attempted, dialect, rules, nrows, keep_duplicates, context=context)
        sources = checked(sources, sha256)
        with reading(sources) as fetching:
            clean = read_clean_table(sources, options=replace(options, fetching=fetching))
        check_format(output, clean.table.dialect)
        with whole_file(output) as unfinished:
            write_flows(clean.table, unfinished)
        typer.echo(f"{output}: {counted(len(clean.table), clean.rows_read, clean.dropped)}")
