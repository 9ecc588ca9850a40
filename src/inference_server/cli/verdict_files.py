"""Files of verdicts, one row a flow: Parquet and CSV columns, or one verdict object a line."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from flows.address_columns import address_texts
from flows.table import UNKNOWN_PORT, UNKNOWN_PROTOCOL, UNKNOWN_TIME, FlowTable
from flows.verdict_record import verdict_records
from flows.verdicts import Verdicts

SCHEMA: Final = pa.schema(
    [
        ("capture", pa.string()),
        ("src_ip", pa.string()),
        ("src_port", pa.int32()),
        ("dst_ip", pa.string()),
        ("dst_port", pa.int32()),
        ("protocol", pa.int16()),
        ("start", pa.timestamp("us", "UTC")),
        ("label", pa.string()),
        ("p_attack", pa.float64()),
        ("p_label", pa.float64()),
    ]
)
ROWS_A_GROUP: Final = 1 << 17


class VerdictFile(Protocol):
    """What verdicts are written to; a context manager."""

    def write(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Write one row a flow; the table's extra `capture`, or its interface, names the input."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_verdict_file(path: Path) -> VerdictFile:
    """Open the file that the suffix asks for: .jsonl, .csv or Parquet.

    Raises:
        OSError: it cannot be written.
    """
    return LinesFile(path) if path.suffix.lower() == ".jsonl" else ColumnsFile(path)


class LinesFile:
    """Verdict objects of docs/verdict.schema.json, one a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Write one line a flow."""
        for record in verdict_records(table, verdicts, source="file"):
            self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


class ColumnsFile:
    """The columns of SCHEMA, as Parquet or CSV."""

    def __init__(self, path: Path) -> None:
        is_csv = path.suffix.lower() == ".csv"
        self._writer = pa_csv.CSVWriter(path, SCHEMA) if is_csv else pq.ParquetWriter(path, SCHEMA)
        self._pending: list[pa.Table] = []

    def write(self, table: FlowTable, verdicts: Verdicts) -> None:
        """Write one row a flow."""
        self._pending.append(_columns(table, verdicts))
        if sum(part.num_rows for part in self._pending) >= ROWS_A_GROUP:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending))
            self._pending = []


def _columns(table: FlowTable, verdicts: Verdicts) -> pa.Table:
    captures = table.extras.get("capture", [table.interface] * len(table))
    return pa.table(
        [
            pa.array(captures, pa.string()),
            address_texts(table.src_addr),
            pa.array(table.src_port, mask=table.src_port == UNKNOWN_PORT),
            address_texts(table.dst_addr),
            pa.array(table.dst_port, mask=table.dst_port == UNKNOWN_PORT),
            pa.array(table.protocol, mask=table.protocol == UNKNOWN_PROTOCOL),
            pa.array(table.start_us, mask=table.start_us == UNKNOWN_TIME).cast(SCHEMA.field("start").type),
            pa.array(verdicts.labels(), pa.string()),
            pa.array(verdicts.p_attack, mask=np.isnan(verdicts.p_attack)),
            pa.array(verdicts.p_label, mask=np.isnan(verdicts.p_label)),
        ],
        schema=SCHEMA,
    )
