"""A batch of captured flows on its way from a sensor to the central service: an Arrow IPC stream, zstd."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, ValidationError

from flows.dialects import known_dialect
from flows.parquet_rows import METADATA_KEY, ROW_FIELDS, arrow_rows, own_table
from flows.schema import schema_id
from flows.table import EndReason, FlowTable
from inference_server.bodies.arrow import arrow_stream, read_arrow
from inference_server.web.errors import BodyTooLargeError, ConflictError, UnprocessableError
from inference_server.web.request_body import MAX_FLOWS

ENCODING: Final = "zstd"
MEDIA_TYPE: Final = "application/octet-stream"
LEVEL: Final = 3
_NEVER_NULL: Final = ("flow_uid", "revision", "end_reason", "provisional")
_EXTRAS: Final = (
    pa.types.is_string,
    pa.types.is_boolean,
    pa.types.is_integer,
    pa.types.is_floating,
)


class _Described(BaseModel):
    """What the schema's metadata say of the flows."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dialect: str
    sensor: str
    interface: str
    schema_id: str
    features: list[str]
    extras: dict[str, str]


def encode_flows(table: FlowTable) -> bytes:
    """Return flows as `decode_flows` reads them; nothing of them is lost."""
    return bytes(pa.Codec(ENCODING, LEVEL).compress(arrow_stream(arrow_rows(table)), asbytes=True))


def decompressed(content: bytes, limit: int) -> bytes:
    """Return what zstd compressed.

    Raises:
        BodyTooLargeError: it is more than `limit` bytes.
        UnprocessableError: nothing was compressed so.
    """
    try:
        with pa.CompressedInputStream(pa.BufferReader(content), ENCODING) as stream:
            plain = bytes(stream.read(limit + 1))
    except OSError as error:
        raise UnprocessableError(f"The body is not {ENCODING}: {error}") from None
    if len(plain) > limit:
        raise BodyTooLargeError(f"The body decompresses to more than {limit} bytes: raise MAX_BODY_MB")
    return plain


def decode_flows(content: bytes, limit: int) -> FlowTable:
    """Return the flows of a batch that somebody sent.

    Args:
        content: the batch as it was sent.
        limit: bytes it may have when it is decompressed.

    Raises:
        BodyTooLargeError: it is larger, or has more than MAX_FLOWS flows.
        ConflictError: another version's features.
        UnprocessableError: it is no such batch; says why.
    """
    rows = read_arrow(decompressed(content, limit), MAX_FLOWS)
    try:
        described = _Described.model_validate_json((rows.schema.metadata or {}).get(METADATA_KEY, b"null"))
        _check(rows, described)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(("metadata", METADATA_KEY.decode(), *map(str, first["loc"])))
        raise UnprocessableError(f"{place}: {first['msg']}") from None
    except ValueError as error:
        raise UnprocessableError(str(error)) from None
    if schema_id(tuple(described.features)) != described.schema_id:
        raise ConflictError("The flows have another version's features: run one version everywhere")
    return own_table(rows, described.model_dump(), "the body")


def _check(rows: pa.Table, described: _Described) -> None:
    """Look at everything that `own_table` relies on.

    Raises:
        ValueError: something is not so.
    """
    known_dialect(described.dialect)
    types = {field.name: field.type for field in ROW_FIELDS} | dict.fromkeys(described.features, pa.float64())
    titles = [*types, *described.extras.values()]
    if len(set(titles)) != len(titles) or sorted(titles) != sorted(rows.schema.names) or not rows.num_rows:
        raise ValueError("The columns are not those of flows: each once, and at least one row")
    for name, kind in types.items():
        if rows.schema.field(name).type != kind:
            raise ValueError(f"Column {name} is {rows.schema.field(name).type}, not {kind}")
    for name in (*_NEVER_NULL, *described.features):
        if rows.column(name).null_count:
            raise ValueError(f"Column {name} has nulls")
    for name in described.extras.values():
        if not any(accepts(rows.schema.field(name).type) for accepts in _EXTRAS):
            raise ValueError(f"Column {name} is {rows.schema.field(name).type}, not text, number or boolean")
    own_reasons = {reason.name.lower() for reason in EndReason}
    if strange := set(rows.column("end_reason").unique().to_pylist()) - own_reasons:
        raise ValueError(f"Column end_reason has {strange.pop()!r}")
