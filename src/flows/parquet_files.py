"""Parquet files of flows: our own, which keep a FlowTable entirely, and reading any of the sets'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from flows.assembly import assemble, plan_columns
from flows.dialects import IMPROVED
from flows.parquet_rows import METADATA_KEY, ROW_FIELDS, arrow_rows, own_table
from flows.schema import COMMON_NAMES, IMPROVED_NAMES
from flows.table import UNKNOWN_TIME, FlowTable

ROWS_A_GROUP: Final = 1 << 17
ROWS_AT_ONCE: Final = 1 << 14
_END_COLUMN: Final = [field.name for field in ROW_FIELDS].index("end")


class ParquetFlowWriter:
    """Writes tables one after the other into one Parquet file; a context manager.

    The file's metadata holds dialect, sensor, interface and schema id, so all tables share them. What
    is unknown is null; features keep inf and NaN.

    Raises:
        OSError: the file cannot be written.
        ValueError: (from `write`) a table differs from the first in features, dialect, sensor, interface
            or extras.
    """

    def __init__(self, path: Path | str, *, rows_a_group: int = ROWS_A_GROUP) -> None:
        self._rows_a_group = rows_a_group
        self._file = open(path, "wb")  # noqa: SIM115
        self._writer: pq.ParquetWriter | None = None
        self._pending: list[pa.Table] = []
        self._first: FlowTable | None = None
        self._notes: dict[str, str] = {}

    def write(self, table: FlowTable) -> None:
        """Write a table's rows."""
        if self._writer is None or self._first is None:
            rows = arrow_rows(table)
            self._first = table.take(slice(0, 0))
            # Features hardly repeat: a dictionary of them costs time and makes the file larger.
            texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
            self._writer = pq.ParquetWriter(
                self._file, rows.schema, compression="zstd", use_dictionary=texts or False
            )
        else:
            _check_alike(self._first, table)
            rows = _like(arrow_rows(table), self._writer.schema)
        self._pending.append(rows)
        if sum(part.num_rows for part in self._pending) >= self._rows_a_group:
            self._flush()

    def note(self, name: str, text: str) -> None:
        """Put a text into the file's metadata."""
        self._notes[name] = text

    def close(self) -> None:
        """Finish the file; one without a row is a readable, empty table."""
        try:
            if self._writer is None:
                empty = np.empty((0, len(IMPROVED_NAMES)))
                self.write(FlowTable.from_features(empty, IMPROVED_NAMES, IMPROVED))
            self._flush()
            if self._writer is not None:
                self._writer.add_key_value_metadata(self._notes)
                self._writer.close()
            self._file.close()
        except BaseException:
            self._abandon()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon()

    def _abandon(self) -> None:
        """Close the file as it is."""
        if self._writer is not None:
            self._writer.is_open = False  # or it would write its end when it is collected
        with suppress(OSError):
            self._file.close()

    def _flush(self) -> None:
        if self._writer is not None and self._pending:
            self._writer.write_table(pa.concat_tables(self._pending))
            self._pending = []


def write_parquet(table: FlowTable, path: Path | str) -> None:
    """Write one table; see `ParquetFlowWriter`."""
    with ParquetFlowWriter(path) as writer:
        writer.write(table)


def read_parquet(
    path: Path | str,
    *,
    dialect: str | None = None,
    required: Sequence[str] = COMMON_NAMES,
    dropped: Counter[str] | None = None,
    nrows: int | None = None,
) -> FlowTable:
    """Read a Parquet file of flows, ours or one with any of the sets' headers.

    Ours says itself which features it has, and which dialect measured the flows; for the others see
    `flows.csv_files.read_csv`. With `nrows` no more than so many rows are read.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no Parquet file of flows; the message names it and what is missing.
    """
    with _whole(path), pq.ParquetFile(path) as file:
        rows = file.read() if nrows is None else _first_rows(file, nrows)
    return _any_table(rows, str(path), dialect, required, dropped)


def parquet_pieces(
    path: Path | str,
    *,
    dialect: str | None = None,
    required: Sequence[str] = COMMON_NAMES,
    dropped: Counter[str] | None = None,
) -> Iterator[FlowTable]:
    """Yield what `read_parquet` returns in tables of at most ROWS_AT_ONCE rows, and raise what it raises.

    Flows of files that are not ours are numbered in each table anew.
    """
    with _whole(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_ONCE):
            yield _any_table(pa.Table.from_batches([batch]), str(path), dialect, required, dropped)


def _any_table(
    rows: pa.Table, where: str, dialect: str | None, required: Sequence[str], dropped: Counter[str] | None
) -> FlowTable:
    described = (rows.schema.metadata or {}).get(METADATA_KEY)
    if described is not None:
        return own_table(rows, orjson.loads(described), where)
    plan = plan_columns(rows.schema.names, dialect=dialect, where=where, required=required)
    return assemble(plan, lambda at: rows.column(at).combine_chunks(), where=where, dropped=dropped)


def _first_rows(file: pq.ParquetFile, count: int) -> pa.Table:
    batches, left = [], count
    for batch in file.iter_batches(min(count, ROWS_AT_ONCE)) if count else ():
        batches.append(batch.slice(0, left))
        left -= batches[-1].num_rows
        if not left:
            break
    return pa.Table.from_batches(batches, file.schema_arrow)


class ParquetFlowReader:
    """An open Parquet file of our own, read piece by piece; a context manager.

    Once open it can be read to its end, also when it is deleted meanwhile.

    Attributes:
        rows: how many flows it holds.
    """

    def __init__(self, path: Path | str) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be read.
            ValueError: it is no whole Parquet file, or not one of ours.
        """
        self._path = path
        with _whole(path):
            self._file = pq.ParquetFile(path)
        self.rows: int = self._file.metadata.num_rows
        described = (self._file.schema_arrow.metadata or {}).get(METADATA_KEY)
        if described is None:
            self._file.close()
            raise ValueError(f"{path}: not a Parquet file that this program wrote")
        self._described: dict[str, Any] = orjson.loads(described)

    def tables(self, *, since_us: int | None = None, until_us: int | None = None) -> Iterator[FlowTable]:
        """Yield the flows in order, in tables of at most ROWS_AT_ONCE rows.

        Args:
            since_us, until_us: only flows that ended in [since, until), UTC microseconds; flows whose
                end is unknown are left out when either is given.

        Raises:
            ValueError: the file is broken, or of another version's feature schema.
        """
        groups = [
            group
            for group in range(self._file.metadata.num_row_groups)
            if self._may_hold(group, since_us, until_us)
        ]
        with _whole(self._path):
            for batch in self._file.iter_batches(ROWS_AT_ONCE, row_groups=groups):
                table = own_table(pa.Table.from_batches([batch]), self._described, str(self._path))
                chosen = _ended(table, since_us, until_us)
                if len(chosen):
                    yield chosen

    def empty(self) -> FlowTable:
        """Return a table without a row that is like the file's.

        Raises:
            ValueError: the file is of another version's feature schema.
        """
        rows = self._file.schema_arrow.empty_table()
        return own_table(rows, self._described, str(self._path))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _may_hold(self, group: int, since_us: int | None, until_us: int | None) -> bool:
        if since_us is None and until_us is None:
            return True
        statistics = self._file.metadata.row_group(group).column(_END_COLUMN).statistics
        if statistics is None or not statistics.has_min_max:
            return True
        first, last = statistics.min_raw, statistics.max_raw
        return (since_us is None or last >= since_us) and (until_us is None or first < until_us)


@contextmanager
def _whole(path: Path | str) -> Iterator[None]:
    """Name the file in the errors of reading it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no Parquet file, or a broken one.
    """
    try:
        yield
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: not a Parquet file: {error}") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(f"{path}: a broken Parquet file: {error}") from None


def _ended(table: FlowTable, since_us: int | None, until_us: int | None) -> FlowTable:
    if since_us is None and until_us is None:
        return table
    chosen = table.end_us != UNKNOWN_TIME
    if since_us is not None:
        chosen &= table.end_us >= since_us
    if until_us is not None:
        chosen &= table.end_us < until_us
    return table if chosen.all() else table.take(chosen)


def _check_alike(first: FlowTable, table: FlowTable) -> None:
    for name in ("feature_names", "dialect", "sensor", "interface"):
        if getattr(table, name) != getattr(first, name):
            raise ValueError(
                f"one file holds flows of one {name.replace('_', ' ')}: write these into another"
            )
    if unlike := set(table.extras) ^ set(first.extras):
        raise ValueError(
            f"one file holds flows of the same extras, not of some only: {', '.join(sorted(unlike))}"
        )


def _like(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    try:
        return rows.select(schema.names).cast(schema)
    except pa.ArrowInvalid as error:
        raise ValueError(f"an extra column is of another type than in the first table: {error}") from None
