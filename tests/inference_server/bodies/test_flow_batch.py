from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from flows.parquet_rows import METADATA_KEY, arrow_rows
from flows.table import FlowTable
from helpers.flows import assert_same_table, flow_table, flow_tables
from inference_server.bodies.arrow import arrow_stream
from inference_server.bodies.flow_batch import decode_flows, encode_flows
from inference_server.web.errors import BodyTooLargeError, ConflictError, RequestError, UnprocessableError

LIMIT = 10_000_000


def sent(rows: pa.Table) -> bytes:
    return bytes(pa.compress(arrow_stream(rows), "zstd", asbytes=True))


@given(flow_tables())
def test_what_is_decoded_is_what_was_encoded(table: FlowTable) -> None:
    # Columns that capture does not know may hold anything; texts and numbers come back.
    told = {"label": np.array(["x"] * len(table), object), "odd": np.arange(len(table))}
    table = replace(table, extras=told)
    if len(table):
        assert_same_table(decode_flows(encode_flows(table), LIMIT), table)


def described(old: bytes, new: bytes) -> Callable[[pa.Table], pa.Table]:
    def change(rows: pa.Table) -> pa.Table:
        text = rows.schema.metadata[METADATA_KEY]
        assert old in text
        return rows.replace_schema_metadata({METADATA_KEY: text.replace(old, new)})

    return change


def column(name: str, values: pa.Array) -> Callable[[pa.Table], pa.Table]:
    return lambda rows: rows.set_column(rows.schema.get_field_index(name), name, values)


REASON = pa.array(["fin", "boredom", "rst"])


@pytest.mark.parametrize(
    ("change", "refusal", "said"),
    [
        (lambda rows: rows.replace_schema_metadata({}), UnprocessableError, "metadata.ml-ids.flows"),
        (described(b'"sensor":"test"', b'"sensor":7'), UnprocessableError, "sensor: Input should be"),
        (described(b'"dialect":"improved"', b'"dialect":"klingon"'), UnprocessableError, "klingon"),
        (described(b'"schema_id":"', b'"schema_id":"x'), ConflictError, "another version's features"),
        (described(b'"tot_fwd_pkts",', b""), UnprocessableError, "columns are not those"),
        (lambda rows: rows.drop_columns(["flow_uid"]), UnprocessableError, "columns are not those"),
        (lambda rows: rows.slice(0, 0), UnprocessableError, "at least one row"),
        (lambda rows: rows.append_column("flow_uid", rows["flow_uid"]), UnprocessableError, "each once"),
        (column("revision", pa.array(["a"] * 3)), UnprocessableError, "revision is string, not int32"),
        (column("tot_fwd_pkts", pa.array([1.0, None, 2.0])), UnprocessableError, "tot_fwd_pkts has nulls"),
        (column("end_reason", REASON), UnprocessableError, "'boredom'"),
    ],
)
def test_what_is_no_batch_is_refused_by_name(
    change: Callable[[pa.Table], pa.Table], refusal: type[RequestError], said: str
) -> None:
    with pytest.raises(refusal, match=said):
        decode_flows(sent(change(arrow_rows(flow_table(3)))), LIMIT)


def test_extras_are_of_plain_types() -> None:
    table = flow_table(2, extras={"odd": np.array([1, 2])})
    rows = arrow_rows(table)
    odd = pa.array([[1], [2]])
    with pytest.raises(UnprocessableError, match="odd is list"):
        decode_flows(sent(column("odd", odd)(rows)), LIMIT)


TORN = encode_flows(flow_table(9))[:-9]


@pytest.mark.parametrize("content", [b"", b"GET / HTTP/1.1", b"{}", TORN])
def test_what_is_not_compressed_or_torn_is_refused(content: bytes) -> None:
    with pytest.raises(UnprocessableError):
        decode_flows(content, LIMIT)


def test_a_small_body_cannot_become_a_large_one() -> None:
    bomb = bytes(pa.compress(bytes(LIMIT + 1), "zstd", asbytes=True))
    assert len(bomb) < 10_000
    with pytest.raises(BodyTooLargeError):
        decode_flows(bomb, LIMIT)


def test_more_flows_than_a_request_may_have_are_refused() -> None:
    with pytest.raises(BodyTooLargeError, match="10001 flows"):
        decode_flows(encode_flows(flow_table(10_001)), 10 * LIMIT)
