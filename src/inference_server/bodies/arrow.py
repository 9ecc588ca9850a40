"""Arrow IPC streams as bodies: columns of flows in, columns of verdicts out."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa

from flows.verdicts import Verdicts
from inference_server.web.errors import BodyTooLargeError, UnprocessableError

ARROW: Final = "application/vnd.apache.arrow.stream"
_RECORD_BATCH: Final = "record batch"
_SCHEMA: Final = "schema"
_TYPE, _HEADER = 1, 2
_LENGTH, _COMPRESSION = 0, 3


def read_arrow(content: bytes, max_flows: int) -> pa.Table:
    """Return the table of an Arrow IPC stream.

    What a small body could make large is refused before it is read: compressed buffers, dictionaries, and
    batches that claim to have more rows.

    Raises:
        UnprocessableError: it is none, or of these.
        BodyTooLargeError: it has more than `max_flows` rows.
    """
    try:
        _check_messages(content, max_flows)
        with pa.ipc.open_stream(content) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, EOFError, ValueError, struct.error) as error:
        reason = " ".join(str(error).split())
        raise UnprocessableError(f"The body is no Arrow IPC stream: {reason}") from None
    return table


def verdict_columns(verdicts: Verdicts, warnings: Sequence[str]) -> bytes:
    """Return an Arrow IPC stream with the columns `prediction`, `label` and `probability`.

    The schema's metadata says model, version, threshold and warnings.
    """
    about = {
        "model_name": verdicts.model_name,
        "model_version": verdicts.model_version,
        "threshold": repr(verdicts.threshold),
        "warnings": orjson.dumps(list(warnings)).decode(),
    }
    columns = {
        "prediction": pa.array(verdicts.code),
        "label": pa.array(verdicts.labels(), pa.string()),
        "probability": pa.array(verdicts.p_attack, mask=np.isnan(verdicts.p_attack)),
    }
    return arrow_stream(_table(columns, about))


def code_column(verdicts: Verdicts) -> bytes:
    """Return an Arrow IPC stream with the class codes, the column `predictions`."""
    return arrow_stream(_table({"predictions": pa.array(verdicts.code)}, {}))


def arrow_stream(table: pa.Table) -> bytes:
    """Return a table as an Arrow IPC stream."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _table(columns: dict[str, Any], about: dict[str, str]) -> pa.Table:
    return pa.table(columns).replace_schema_metadata(about)


def _check_messages(content: bytes, max_flows: int) -> None:
    rows = 0
    for message in pa.ipc.MessageReader.open_stream(content):
        if message.type == _SCHEMA:
            continue
        if message.type != _RECORD_BATCH:
            raise UnprocessableError(
                f"Arrow: a {message.type} is not read: send plain columns, not encoded ones"
            )
        length, compressed = _batch(message.metadata.to_pybytes())
        if compressed:
            raise UnprocessableError("Arrow: compressed buffers are not read: send them as they are")
        rows += length
        if not 0 <= length <= max_flows or rows > max_flows:
            raise BodyTooLargeError(
                f"The body holds {rows} flows, at most {max_flows} are judged at once: send several requests"
            )


def _batch(metadata: bytes) -> tuple[int, bool]:
    """Return a record batch's rows, and whether its buffers are compressed.

    PyArrow does not tell before it decompresses them, so the flatbuffer is read here: `Message` and
    `RecordBatch` of Arrow's Message.fbs.
    """
    (root,) = struct.unpack_from("<I", metadata)
    at = _field(metadata, root, _HEADER)
    (offset,) = struct.unpack_from("<I", metadata, at)
    header = at + offset
    length_at = _field(metadata, header, _LENGTH)
    length = struct.unpack_from("<q", metadata, length_at)[0] if length_at else 0
    return length, bool(_field(metadata, header, _COMPRESSION))


def _field(buffer: bytes, table: int, number: int) -> int:
    """Return where a table's field is, 0 when it is left out."""
    (back,) = struct.unpack_from("<i", buffer, table)
    vtable = table - back
    (size,) = struct.unpack_from("<H", buffer, vtable)
    entry = 4 + 2 * number
    if entry >= size:
        return 0
    (offset,) = struct.unpack_from("<H", buffer, vtable + entry)
    return table + offset if offset else 0
