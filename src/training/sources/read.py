"""Reading training data, whatever it is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from flows.csv_files import read_csv
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from training.cleaning import Attempted, labelled, tidied
from training.dataset import LabelledFlows, joined
from training.sources.feedback import CONTRADICTED, latest_said
from training.sources.remote import Fetching, fetched, is_remote, shown

SUFFIXES: Final = (".parquet", ".csv", ".csv.gz", ".csv.xz")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What becomes of what is read.

    Attributes:
        names: the features to take.
        attempted: what becomes of attacks that did not come about (labels that end in " - Attempted").
        dialect: the rules that measured the flows, where a file does not say so itself; None for what its
            header implies.
        nrows: only so many rows of each file.
        keep_duplicates: rows that equal an earlier one stay.
        fetching: how what is elsewhere is brought here.
    """

    names: tuple[str, ...] = COMMON_NAMES
    attempted: Attempted = "drop"
    dialect: str | None = None
    nrows: int | None = None
    keep_duplicates: bool = False
    fetching: Fetching = field(default_factory=Fetching)


@dataclass(slots=True)
class Source:
    """The flows of one file.

    Attributes:
        name: of the file.
        table: the flows.
        dropped: rows that the reader left out, by reason.
    """

    name: str
    table: FlowTable
    dropped: Counter[str] = field(default_factory=Counter)


DEFAULTS: Final = ReadOptions()


def read_training_data(locations: Sequence[str | Path], *, options: ReadOptions = DEFAULTS) -> LabelledFlows:
    """Read labelled flows of all locations as one set, cleaned as `training.cleaning` says.

    Args:
        locations: files of flows, folders of such, or their URLs; see `training.sources.remote.fetched`.
        options: what becomes of what is read.

    Raises:
        OSError: a location cannot be read.
        ValueError: it does not hold labelled flows, a label is not in the label table, or the locations'
            flows are of different dialects.
    """
    parts = [
        labelled(
            source.table, source.name, options.names, attempted=options.attempted, dropped=source.dropped
        )
        for location in locations
        for source in sources(location, options)
    ]
    flows = joined(parts)
    if not len(flows):
        raise ValueError(f"{', '.join(flows.sources)}: no flow has a label: training needs a column Label")
    return tidied(flows, keep_duplicates=options.keep_duplicates)


def sources(location: str | Path, options: ReadOptions) -> Iterator[Source]:
    """Yield the files of a location.

    Raises:
        OSError: it cannot be read.
        ValueError: it is nothing that can be read.
    """
    url = str(location)
    if is_remote(url):
        there = fetched(url, options.fetching)
        for source in sources(there, options):
            source.name = source.name.replace(str(there), shown(url))
            yield source
        return
    path = Path(location)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.name.lower().endswith(SUFFIXES))
        if not files:
            raise ValueError(f"{path}: holds no file of flows ({', '.join(SUFFIXES)})")
        for file in files:
            yield _file(file, options)
    else:
        yield _file(path, options)


def _file(path: Path, options: ReadOptions) -> Source:
    read = read_parquet if path.suffix.lower() == ".parquet" else read_csv
    table = read(path, dialect=options.dialect, required=options.names)
    if options.nrows is not None:
        table = table.take(slice(options.nrows))
    if {"alert_id", "verdict"} <= table.extras.keys():
        table, contradicted = latest_said(table, str(path), options.names)
        return Source(str(path), table, Counter({CONTRADICTED: contradicted}))
    return Source(str(path), table)
