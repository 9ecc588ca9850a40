"""`ml-ids data split`: labelled flows as three files, for training, validation and test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from inference_server.cli.data_options import (
    Attempted,
    Dialect,
    Rows,
    Rules,
    counted,
    read_options,
    reading,
    training_errors,
)
from inference_server.cli.reading import whole_file


def split(
    dataset_path: Annotated[
        list[str], typer.Option(metavar="SOURCE", help="labelled flows, as for describe; may be repeated")
    ],
    output_path: Annotated[Path, typer.Option(metavar="FOLDER", help="train, val and test are written here")],
    val_size: Annotated[float, typer.Option(min=0, max=1, help="share of the rows for validation")] = 0.1,
    test_size: Annotated[float, typer.Option(min=0, max=1, help="share of the rows for the test")] = 0.1,
    nrows: Rows = None,
    random_seed: Annotated[int, typer.Option(min=0, help="of what is random")] = 42,
    strategy: Annotated[
        Literal["random", "grouped", "time-ordered"],
        typer.Option(
            help="random: rows by class; grouped: all flows of two hosts in five minutes together; "
            "time-ordered: of every class the first ones for training and the last ones for the test"
        ),
    ] = "random",
    file_format: Annotated[
        Literal["h5", "parquet", "csv"], typer.Option("--format", help="h5: key ids_data, as cstub/ml-ids")
    ] = "h5",
    attempted: Attempted = "drop",
    dialect: Dialect = None,
    rules: Rules = None,
) -> None:
    """Write train, val and test: 80, 10 and 10 % of every class, after repeated rows were dropped."""
    with training_errors():
        from training.clean_tables import check_format, read_clean_table, write_flows
        from training.split_files import split_rows

        options = read_options(attempted, dialect, rules, nrows)
        with reading(dataset_path) as fetching:
            clean = read_clean_table(dataset_path, options=replace(options, fetching=fetching))
        parts = split_rows(clean.flows(), strategy, val_size=val_size, test_size=test_size, seed=random_seed)
        output_path.mkdir(parents=True, exist_ok=True)
        check_format(output_path / f"train.{file_format}", clean.table.dialect)
        typer.echo(counted(len(clean.table), clean.rows_read, clean.dropped))
        for name, rows in parts.items():
            path = output_path / f"{name}.{file_format}"
            with whole_file(path) as unfinished:
                write_flows(clean.table.take(rows), unfinished)
            typer.echo(f"{path}: {len(rows):,} flows")
