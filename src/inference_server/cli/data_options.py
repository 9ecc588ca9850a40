"""What commands that read training data share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inference_server.cli.reading import errors, one_line_errors
from inference_server.cli.remote_data import remote_data
from inference_server.settings import load_settings

if TYPE_CHECKING:
    from training.sources.read import ReadOptions
    from training.sources.remote import Fetching

Locations = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="labelled flows: .csv (also .gz, .xz), .parquet, .h5, files of KDD99 and NSL-KDD, captures with "
        "label rules, folders of such, or URLs: s3://, https://, influxdb://host:port/database/measurement",
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
    typer.Option(
        metavar="YAML|FOLDER",
        help="label rules of captures, or a folder of NAME.labels.yaml, instead of those beside them",
    ),
]
Context = Annotated[
    bool, typer.Option("--context", help="add what each flow's hosts did before, where it is known")
]
Rows = Annotated[int | None, typer.Option("--nrows", min=1, help="only so many rows of each file")]
Checksum = Annotated[
    str | None, typer.Option(metavar="HEX", help="what the only SOURCE, a URL, must be; as #sha256=HEX in it")
]
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
    *,
    context: bool = False,
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
        context=context,
    )


def counted(rows: int, rows_read: int, dropped: dict[str, int]) -> str:
    """Return in words how many rows there are, and which were left out."""
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
    return f"{rows:,} flows of {rows_read:,} rows" + (f" (dropped: {reasons})" if reasons else "")


def checked(locations: list[str], sha256: str | None) -> list[str]:
    """Return the locations, the only one with a checksum when there is one.

    Raises:
        ValueError: there are several, or the only one is no URL.
    """
    from training.sources.remote import is_remote

    if sha256 is None:
        return locations
    if len(locations) != 1 or not is_remote(locations[0]):
        raise ValueError("--sha256 is for one URL: write the others' as #sha256=HEX at their ends")
    return [f"{locations[0]}#sha256={sha256}"]


@contextmanager
def reading(locations: list[str]) -> Iterator[Fetching]:
    """Show that something is being read; gives how what is elsewhere is fetched."""
    from training.sources.remote import shown

    names = ", ".join(map(shown, locations))
    with remote_data(load_settings()) as fetching, errors.status(f"reading {names}"):
        yield fetching
