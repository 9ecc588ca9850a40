"""Reading training data, whatever it is in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from context.features import CONTEXT_NAMES
from context.notes import with_context
from flows.csv_files import read_csv
from flows.hdf5_files import read_hdf5
from flows.kdd99 import FEATURES
from flows.kdd99_files import is_kdd99, read_connections
from flows.parquet_files import parquet_pieces, read_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from training.cleaning import DUPLICATE, Attempted, labelled, tidied
from training.dataset import LabelledFlows, joined
from training.sources.captures import is_capture, labelled_capture, rules_for
from training.sources.cic_times import with_cic_times
from training.sources.feedback import CONTRADICTED, latest_said
from training.sources.remote import Fetching, fetched, is_remote, shown
from training.sources.split_labels import is_label_file, label_file, read_with_labels

PARQUET: Final = (".parquet", ".pq")
HDF5: Final = (".h5", ".hdf5", ".hdf")
FLOW_FILES: Final = (*PARQUET, *HDF5, ".csv", ".csv.gz", ".csv.xz")
"""What is read of a folder, beside captures with label rules."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What becomes of what is read.

    Attributes:
        names: the features to take; None for the 76 of all sets, or the 31 of KDD99.
        attempted: what becomes of attacks that did not come about (labels that end in " - Attempted").
        dialect: the rules that measured the flows, where a file does not say so itself, or by which captures
            are to be measured; None for what a header implies, and `improved`.
        nrows: only so many rows of each file.
        keep_duplicates: rows that equal an earlier one stay.
        rules: label rules of all captures, or a folder of them, instead of those beside captures.
        context: what the hosts of each flow did before it are features too, NaN where a file does not tell.
        fetching: how what is elsewhere is brought here.
    """

    names: tuple[str, ...] | None = None
    attempted: Attempted = "drop"
    dialect: str | None = None
    nrows: int | None = None
    keep_duplicates: bool = False
    rules: Path | None = None
    context: bool = False
    fetching: Fetching = field(default_factory=Fetching)


@dataclass(slots=True)
class Source:
    """The flows of one file.

    Attributes:
        name: of the file.
        table: the flows, labels in `extras["label"]`.
        dropped: rows that the reader left out, by reason.
    """

    name: str
    table: FlowTable
    dropped: Counter[str] = field(default_factory=Counter)


DEFAULTS: Final = ReadOptions()


def read_training_data(locations: Sequence[str | Path], *, options: ReadOptions = DEFAULTS) -> LabelledFlows:
    """Read labelled flows of all locations as one set, cleaned as `training.cleaning` says.

    Args:
        locations: files of flows, captures with label rules, folders of such, or their URLs; see
            `training.sources.remote.fetched`.
        options: what becomes of what is read.

    Raises:
        OSError: a location cannot be read.
        ValueError: it does not hold labelled flows, a label is not in the label table, or the locations'
            flows are of different dialects.
    """
    parts = [
        labelled(
            source.table,
            source.name,
            wanted_names(source.table, options),
            attempted=options.attempted,
            dropped=source.dropped,
        )
        for location in locations
        for source in sources(location, options)
    ]
    flows = joined(parts)
    parts.clear()
    if not len(flows):
        raise ValueError(f"{', '.join(flows.sources)}: no flow has a label: training needs a column Label")
    return tidied(flows, keep_duplicates=options.keep_duplicates)


def with_repeated(
    locations: Sequence[str | Path], flows: LabelledFlows, options: ReadOptions = DEFAULTS
) -> LabelledFlows | None:
    """Return flows that were read, with those that repeat an earlier one; None where nothing repeats."""
    if not flows.dropped.get(DUPLICATE):
        return None
    return read_training_data(locations, options=replace(options, keep_duplicates=True))


def default_names(table: FlowTable) -> tuple[str, ...]:
    """Return the features that models of such flows read."""
    return FEATURES if table.feature_names == FEATURES else COMMON_NAMES


def wanted_names(table: FlowTable, options: ReadOptions) -> tuple[str, ...]:
    """Return the features to take of a table."""
    names = options.names or default_names(table)
    more = [name for name in CONTEXT_NAMES if options.context and name not in names]
    return (*names, *more)


def sources(location: str | Path, options: ReadOptions) -> Iterator[Source]:
    """Yield the files of a location, one after the other.

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
    if not path.is_dir():
        yield _source(path, options)
        return
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and _is_read(file, options)]
    if not files:
        raise ValueError(f"{path}: holds no flows ({', '.join(FLOW_FILES)}) and no capture with label rules")
    for file in files:
        yield _source(file, options)


def _is_read(file: Path, options: ReadOptions) -> bool:
    if is_capture(file):
        return rules_for(file, options.rules) is not None
    return file.name.lower().endswith(FLOW_FILES) and not is_label_file(file)


def pieces(location: str | Path, options: ReadOptions) -> Iterator[Source]:
    """Yield the Parquet files of a location piece by piece, so that none is ever in memory entirely.

    Raises:
        OSError: as `sources`.
        ValueError: as `sources`, or something is there that can only be read entirely.
    """
    url = str(location)
    there = fetched(url, options.fetching) if is_remote(url) else Path(location)
    found = sorted(there.rglob("*")) if there.is_dir() else [there]
    for file in [each for each in found if each == there or (each.is_file() and _is_read(each, options))]:
        name = str(file).replace(str(there), shown(url)) if is_remote(url) else str(file)
        if file.suffix.lower() not in PARQUET:
            raise ValueError(f"{name}: --sample reads Parquet only, which ml-ids data convert makes")
        dropped: Counter[str] = Counter()
        names = options.names or COMMON_NAMES
        for table in parquet_pieces(file, dialect=options.dialect, required=names, dropped=dropped):
            if {"alert_id", "verdict"} <= table.extras.keys():
                raise ValueError(f"{name}: what people said of alerts is read entirely: leave --sample out")
            yield Source(name, with_cic_times(table), Counter(dropped))
            dropped.clear()


def _source(path: Path, options: ReadOptions) -> Source:
    dropped: Counter[str] = Counter()
    table = _table(path, options, dropped)
    if options.context and not is_capture(path):
        table = with_context(table)
    source = Source(str(path), with_cic_times(table), dropped)
    if options.nrows is not None and len(source.table) > options.nrows:
        source.table = source.table.take(slice(options.nrows))
    if {"alert_id", "verdict"} <= table.extras.keys():
        said = latest_said(source.table, str(path), wanted_names(table, options))
        source.table, source.dropped[CONTRADICTED] = said
    return source


def _table(path: Path, options: ReadOptions, dropped: Counter[str]) -> FlowTable:
    suffix, dialect = path.suffix.lower(), options.dialect
    if is_capture(path):
        return labelled_capture(path, options.rules, dialect, context=options.context)
    names = tuple(name for name in options.names or COMMON_NAMES if name not in CONTEXT_NAMES)
    nrows = options.nrows
    if suffix in PARQUET:
        return read_parquet(path, dialect=dialect, required=names, dropped=dropped, nrows=nrows)
    if suffix in HDF5:
        return read_hdf5(path, dialect=dialect, required=names, dropped=dropped, nrows=nrows)
    if is_kdd99(path):
        return read_connections(path, nrows)
    if labels := label_file(path):
        return read_with_labels(path, labels, dropped, dialect=dialect, required=names, nrows=nrows)
    return read_csv(path, dialect=dialect, required=names, dropped=dropped, nrows=nrows)
