"""A FlowTable as rows of a Parquet file, and back."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flows.address_columns import address_texts, packed_addresses
from flows.derived import DERIVED
from flows.schema import schema_id
from flows.table import UNKNOWN_PORT, UNKNOWN_PROTOCOL, UNKNOWN_TIME, EndReason, FlowTable

METADATA_KEY: Final = b"ml-ids.flows"
_TIME: Final = pa.timestamp("us", "UTC")
ROW_FIELDS: Final = (
    pa.field("flow_uid", pa.uint64()),
    pa.field("revision", pa.int32()),
    pa.field("src_ip", pa.string()),
    pa.field("src_port", pa.int32()),
    pa.field("dst_ip", pa.string()),
    pa.field("dst_port", pa.int32()),
    pa.field("protocol", pa.int16()),
    pa.field("start", _TIME),
    pa.field("end", _TIME),
    pa.field("end_reason", pa.string()),
    pa.field("provisional", pa.bool_()),
)


def arrow_rows(table: FlowTable) -> pa.Table:
    """Return a table as its Parquet file has it, float64, with the metadata that readers need."""
    arrays: list[pa.Array] = [
        pa.array(table.flow_uid),
        pa.array(table.revision),
        address_texts(table.src_addr),
        pa.array(table.src_port, mask=table.src_port == UNKNOWN_PORT),
        address_texts(table.dst_addr),
        pa.array(table.dst_port, mask=table.dst_port == UNKNOWN_PORT),
        pa.array(table.protocol, mask=table.protocol == UNKNOWN_PROTOCOL),
        _times(table.start_us),
        _times(table.end_us),
        _reasons().take(pa.array(table.end_reason)),
        pa.array(table.provisional),
    ]
    fields = list(ROW_FIELDS)
    for name in table.feature_names:
        arrays.append(pa.array(np.ascontiguousarray(table.column(name))))
        fields.append(pa.field(name, pa.float64()))
    taken = {field.name for field in fields}
    columns = {name: f"extra.{name}" if name in taken else name for name in table.extras}
    for name, values in table.extras.items():
        arrays.append(_extra(values))
        fields.append(pa.field(columns[name], arrays[-1].type))
    described = {
        "dialect": table.dialect,
        "sensor": table.sensor,
        "interface": table.interface,
        "schema_id": table.schema_id,
        "features": table.feature_names,
        "extras": columns,
    }
    return pa.table(arrays, pa.schema(fields, {METADATA_KEY: orjson.dumps(described)}))


def _times(times_us: NDArray[np.int64]) -> pa.Array:
    return pa.array(times_us, mask=times_us == UNKNOWN_TIME).cast(_TIME)


def _extra(values: NDArray[Any]) -> pa.Array:
    try:
        array = pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # values of several kinds
        array = pa.array([None if value is None else str(value) for value in values.tolist()], pa.string())
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def own_table(rows: pa.Table, described: dict[str, Any], where: str) -> FlowTable:
    """Return rows of a file of our own as a table.

    Raises:
        ValueError: they are of another version's feature schema; names `where` they are from.
    """
    names = tuple(described["features"])
    if schema_id(names) != described["schema_id"]:
        raise ValueError(f"{where}: another version's feature schema: write the file again with this version")

    def column(name: str) -> pa.Array:
        return rows.column(name).combine_chunks()

    return FlowTable.from_features(
        np.column_stack(list(_features(rows, names).values())),
        names,
        described["dialect"],
        sensor=described["sensor"],
        interface=described["interface"],
        flow_uid=column("flow_uid").to_numpy(),
        revision=column("revision").to_numpy(),
        src_addr=packed_addresses(column("src_ip")),
        dst_addr=packed_addresses(column("dst_ip")),
        src_port=pc.fill_null(column("src_port"), UNKNOWN_PORT).to_numpy(),
        dst_port=pc.fill_null(column("dst_port"), UNKNOWN_PORT).to_numpy(),
        protocol=pc.fill_null(column("protocol"), UNKNOWN_PROTOCOL).to_numpy(),
        start_us=pc.fill_null(column("start").cast(pa.int64()), UNKNOWN_TIME).to_numpy(),
        end_us=pc.fill_null(column("end").cast(pa.int64()), UNKNOWN_TIME).to_numpy(),
        end_reason=pc.index_in(column("end_reason"), _reasons()).to_numpy().astype(np.uint8),
        provisional=column("provisional").to_numpy(zero_copy_only=False),
        extras={name: _extra_values(column(title)) for name, title in described["extras"].items()},
    )


def _features(rows: pa.Table, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """Return features by name; those that the file leaves out follow from the others."""
    held = {
        name: rows.column(name).combine_chunks().to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
        for name in names
        if name in rows.schema.names
    }
    return {name: held[name] if name in held else DERIVED[name](held) for name in names}


def _extra_values(array: pa.Array) -> NDArray[Any]:
    if array.null_count and not pa.types.is_string(array.type):
        return np.array([*array.to_pylist(), None], dtype=object)[:-1]
    values: NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return values


@cache
def _reasons() -> pa.Array:
    # Not made on import: Arrow's first array imports pandas where that is installed.
    return pa.array([reason.name.lower() for reason in EndReason], pa.string())
