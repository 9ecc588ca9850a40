"""Parquet files of flows for keeping in a repository: as small as they can be read back from by anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from flows.derived import follows
from flows.parquet_rows import arrow_rows
from flows.table import FlowTable

LEVEL: Final = 19
_WHOLE: Final = 2.0**31


def write_compact(table: FlowTable, path: Path | str) -> None:
    """Write one table so that it takes little room; `flows.parquet_files.read_parquet` reads it.

    Whole numbers of up to 31 bits stay what they are, all other features are rounded to float32. Features
    that follow from others, see `flows.derived`, are left out, unless a flow's do not.

    Raises:
        OSError: the file cannot be written.
    """
    rows = arrow_rows(table)
    columns = {name: table.column(name) for name in table.feature_names}
    rows = rows.drop_columns([name for name in columns if follows(name, columns)])
    for name in columns.keys() & set(rows.schema.names):
        at = rows.schema.get_field_index(name)
        values = _smaller(columns[name])
        rows = rows.set_column(at, pa.field(name, values.type), values)
    options = [_smallest(rows.select([name])) for name in rows.schema.names]
    encodings = {name: encoding for each in options for name, encoding in each.items() if encoding}
    pq.write_table(
        rows,
        path,
        compression="zstd",
        compression_level=LEVEL,
        use_dictionary=[name for each in options for name in each if name not in encodings],
        column_encoding=encodings,
        write_statistics=False,
        row_group_size=max(len(table), 1),
    )


def _smaller(values: Any) -> pa.Array:
    known = values[~np.isnan(values)]
    if (np.abs(known) < _WHOLE).all() and (known == np.trunc(known)).all():
        return pa.array(np.nan_to_num(values).astype(np.int32), mask=np.isnan(values))
    return pa.array(values.astype(np.float32))


def _smallest(column: pa.Table) -> dict[str, str]:
    """Return the encoding in which a column takes the least room, "" for a dictionary."""
    [field] = column.schema
    found = {"": _size(column, use_dictionary=True)}
    if not (pa.types.is_string(field.type) or pa.types.is_boolean(field.type)):
        for encoding in ("PLAIN", "BYTE_STREAM_SPLIT"):
            found[encoding] = _size(column, use_dictionary=False, column_encoding={field.name: encoding})
    return {field.name: min(found, key=lambda encoding: found[encoding])}


def _size(column: pa.Table, **options: Any) -> int:
    sink = pa.BufferOutputStream()
    pq.write_table(column, sink, compression="zstd", write_statistics=False, **options)
    return int(sink.getvalue().size)
