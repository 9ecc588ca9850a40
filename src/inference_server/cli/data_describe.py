"""`ml-ids data describe`: what a set of labelled flows holds."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table

from flows.times import rfc3339
from inference_server.cli.data_options import (
    Attempted,
    Checksum,
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

if TYPE_CHECKING:
    from training.describe import Description


def describe(
    sources: Locations,
    attempted: Attempted = "drop",
    dialect: Dialect = None,
    rules: Rules = None,
    nrows: Rows = None,
    keep_duplicates: KeepDuplicates = False,
    sha256: Checksum = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show classes, times, dialect, what cleaning leaves out by reason, and a published set's terms."""
    with training_errors():
        from training.describe import describe as described
        from training.sources.known_sets import known_set
        from training.sources.read import read_training_data

        options = read_options(attempted, dialect, rules, nrows, keep_duplicates)
        sources = checked(sources, sha256)
        with reading(sources) as fetching:
            found = described(read_training_data(sources, options=replace(options, fetching=fetching)))
        known = list(dict.fromkeys(each for each in map(known_set, sources) if each))
    if as_json:
        terms = {each.name: each.facts() for each in known}
        typer.echo(orjson.dumps(asdict(found) | {"published": terms}, option=orjson.OPT_INDENT_2))
    else:
        console = Console(highlight=False)
        _show(console, found)
        for each in known:
            console.print(each.notice(), markup=False, soft_wrap=True)


def _show(console: Console, found: Description) -> None:
    table = Table("code", "class")
    for title in ("flows", "share"):
        table.add_column(title, justify="right")
    for title in ("first, UTC", "last, UTC"):
        table.add_column(title, no_wrap=True)
    for each in found.classes:
        times = (_time(each.first_us), _time(each.last_us))
        table.add_row(str(each.code), each.name, f"{each.rows:,}", f"{each.rows / found.rows:.2%}", *times)
    console.print(table)
    console.print(counted(found.rows, found.rows_read, dict(found.dropped)), soft_wrap=True)
    pairs = "hosts unknown" if found.host_pairs is None else f"{found.host_pairs:,} pairs of hosts"
    console.print(f"dialect {found.dialect}, {found.features} features, {pairs}")
    odd = ", ".join(f"{name} in {rows:,}" for name, rows in found.odd.items() if rows)
    console.print(f"values that preprocessing replaces: {odd or 'none'}")
    if len(found.sources) > 1:
        files = Table("source")
        files.add_column("flows", justify="right")
        for name, rows in found.sources.items():
            files.add_row(name, f"{rows:,}")
        console.print(files, markup=False)


def _time(moment_us: int | None) -> str:
    (text,) = rfc3339(np.array([moment_us or 0], np.int64))
    return "" if moment_us is None or text is None else text[:19].replace("T", " ")
