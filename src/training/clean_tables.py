"""Cleaned flows with all that is known of them, for files: what `training.dataset` leaves behind stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.csv_files import CsvFlowWriter
from flows.hdf5_files import write_hdf5
from flows.kdd99_files import DIALECT as KDD99
from flows.labels import BY_CODE
from flows.parquet_files import write_parquet
from flows.table import FlowTable, concat_tables
from training.cleaning import DUPLICATE, classed, tidy_rows
from training.dataset import LabelledFlows
from training.row_hash import host_pairs
from training.sources.read import DEFAULTS, ReadOptions, Source, sources, wanted_names

HDF5: Final = (".h5", ".hdf5")
CSV: Final = (".csv", ".csv.gz", ".csv.xz")
FORMATS: Final = (".parquet", *CSV, *HDF5)


@dataclass(frozen=True, slots=True)
class CleanTable:
    """Labelled flows in the order of their start, cleaned as `training.cleaning` says.

    Attributes:
        table: n flows; extras are `label`, the class's name, and `source`.
        codes: int32, n; their classes.
        rows_read: rows that there were.
        dropped: rows that were left out, by reason.
    """

    table: FlowTable
    codes: NDArray[np.int32]
    rows_read: int
    dropped: dict[str, int]

    def flows(self) -> LabelledFlows:
        """Return the same rows as training data, with all their features."""
        table = self.table
        names, source = np.unique(table.extras["source"].astype(str), return_inverse=True)
        return LabelledFlows.of(
            table.features,
            table.feature_names,
            self.codes,
            table.dialect,
            start_us=table.start_us,
            pair=host_pairs(table.src_addr, table.dst_addr),
            dst_port=table.dst_port,
            source=source.astype(np.int32).reshape(-1),
            sources=tuple(names.tolist()),
            rows_read=self.rows_read,
            dropped=self.dropped,
        )


def read_clean_table(locations: Sequence[str | Path], *, options: ReadOptions = DEFAULTS) -> CleanTable:
    """Read labelled flows of all locations; see `training.sources.read.read_training_data`.

    The features are those of the files if all have the same, else those that models read. Rows repeat an
    earlier one when they are equal in those.

    Raises:
        OSError, ValueError: as `read_training_data`.
    """
    dropped: Counter[str] = Counter()
    rows_read = 0
    tables, codes = [], []
    for location in locations:
        for source in sources(location, options):
            rows_read += len(source.table) + source.dropped.total()
            table, of_table = _labelled(source, options, dropped)
            tables.append(table)
            codes.append(of_table)
    table, all_codes = _joined(tables, options), np.concatenate(codes)
    tables.clear()
    if not len(table):
        raise ValueError(f"{', '.join(map(str, locations))}: no flow has a label")
    read = wanted_names(table, options)
    rows, repeated = tidy_rows(
        table.features if read == table.feature_names else table.select(read),
        all_codes,
        table.start_us,
        keep_duplicates=options.keep_duplicates,
    )
    dropped[DUPLICATE] += repeated
    tidy = replace(table.take(rows), flow_uid=np.arange(len(rows), dtype=np.uint64))
    return CleanTable(tidy, all_codes[rows], rows_read, dict(+dropped))


def _labelled(
    source: Source, options: ReadOptions, dropped: Counter[str]
) -> tuple[FlowTable, NDArray[np.int32]]:
    codes, kept, left_out = classed(source.table, source.name, options.attempted)
    dropped.update(source.dropped + left_out)
    table = source.table if kept.all() else source.table.take(kept)
    names = {code: BY_CODE[code].name for code in np.unique(codes[kept]).tolist()}
    extras = {
        "label": np.array([*(names[code] for code in codes[kept].tolist()), None], object)[:-1],
        "source": np.full(len(table), source.name, object),
    }
    return replace(table, extras=extras, sensor="", interface=""), codes[kept]


def _joined(tables: Sequence[FlowTable], options: ReadOptions) -> FlowTable:
    first = tables[0]
    for table in tables[1:]:
        if table.dialect != first.dialect:
            raise ValueError(
                f"{_source(table)}: its flows were measured in dialect {table.dialect}, those of "
                f"{_source(first)} in {first.dialect}: measure both alike"
            )
    alike = all(table.feature_names == first.feature_names for table in tables)
    names = first.feature_names if alike and not options.names else wanted_names(first, options)
    return concat_tables(
        table
        if table.feature_names == names
        else replace(table, features=table.select(names), feature_names=names)
        for table in tables
    )


def _source(table: FlowTable) -> str:
    return str(table.extras["source"][0]) if len(table) else "a file"


def check_format(path: Path, dialect: str | None = None) -> None:
    """Say whether flows can be written to a file of that name.

    Raises:
        ValueError: its ending is none of FORMATS, or cannot hold flows of that dialect.
    """
    if not path.name.lower().endswith(FORMATS):
        raise ValueError(f"{path}: the output's name must end in {', '.join(FORMATS)}")
    if dialect == KDD99 and path.suffix.lower() != ".parquet":
        raise ValueError(f"{path}: connections of KDD99 are written as .parquet only")


def write_flows(table: FlowTable, path: Path) -> None:
    """Write a table in the format that the name's ending tells.

    Raises:
        OSError: the file cannot be written.
        ValueError: as `check_format`.
    """
    check_format(path, table.dialect)
    if path.suffix.lower() in HDF5:
        write_hdf5(table, path)
    elif path.suffix.lower() == ".parquet":
        write_parquet(table, path)
    else:
        with CsvFlowWriter(path) as writer:
            writer.write(table)
