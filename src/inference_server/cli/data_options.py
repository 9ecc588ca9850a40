"""What commands that read training data share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inference_server.cli.reading import errors, one_line_errors

if TYPE_CHECKING:
    from training.sources.read import ReadOptions

Locations = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="labelled flows: .csv (also .gz, .xz), .parquet, .h5, files of KDD99 and NSL-KDD, captures with "
        "label rules, or folders of such",
    ),
]
Attempted = Annotated[
    Literal["drop", "benign", "attack"],
    typer.Option(help='what becomes of attacks that did not come about (labels that end in " - Attempted")'),
]
Dialect = Annotated[
    str | None,
    typer.Option(help="who measured the flows, where a file does not say so; or is to measure captures"),
]
Rules = Annotated[
    Path | None,
    typer.Option(metavar="YAML", help="label rules of captures, instead of those beside them"),
]
Rows = Annotated[int | None, typer.Option("--nrows", min=1, help="only so many rows of each file")]
KeepDuplicates = Annotated[
    bool, typer.Option("--keep-duplicates", help="keep rows that equal an earlier one in features and class")
]


@contextmanager
def training_errors() -> Iterator[None]:
    """As `one_line_errors`; a missing library names the extra that brings it."""
    with one_line_errors():
        try:
            yield
        except ModuleNotFoundError as error:
            raise ValueError(f"training needs {error.name}: pip install 'ml-ids[sensor,training]'") from None


def read_options(
    attempted: Literal["drop", "benign", "attack"] = "drop",
    dialect: str | None = None,
    rules: Path | None = None,
    nrows: int | None = None,
    keep_duplicates: bool = False,
) -> ReadOptions:
    """Return what the options say.

    Raises:
        ValueError: there is no such dialect.
    """
    from flows.dialects import known_dialect
    from training.sources.read import ReadOptions

    return ReadOptions(
        attempted=attempted,
        dialect=None if dialect is None else known_dialect(dialect),
        rules=rules,
        nrows=nrows,
        keep_duplicates=keep_duplicates,
    )


def counted(rows: int, rows_read: int, dropped: dict[str, int]) -> str:
    """Return in words how many rows there are, and which were left out."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
    return f"{rows:,} flows of {rows_read:,} rows" + (f" (dropped: {reasons})" if reasons else "")


@contextmanager
def reading(locations: list[str]) -> Iterator[None]:
    """Show that something is being read."""
    with errors.status(f"reading {', '.join(locations)}"):
        yield
