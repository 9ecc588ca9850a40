from __future__ import annotations

import json
from typing import Any

import httpx
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.schema import COMMON_NAMES
from helpers.models import typical_flow
from inference_server.bodies.arrow import ARROW, read_arrow
from inference_server.web.errors import BodyTooLargeError, UnprocessableError

CODES = [0, 5, 17, 0]


def stream(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=3)
    return bytes(sink.getvalue())


def flows(codes: list[int] = CODES) -> pa.Table:
    rows = [typical_flow(code) | {"src_ip": "10.0.0.1", "label": "unknown"} for code in codes]
    return pa.Table.from_pylist(rows)


def send(client: httpx.Client, content: bytes, path: str = "/predict", **headers: str) -> httpx.Response:
    return client.post(path, content=content, headers={"Content-Type": ARROW, **headers})


def test_columns_are_judged_as_rows_are(client: httpx.Client) -> None:
    as_rows = client.post("/predict", json=flows().to_pylist()).json()
    as_columns = send(client, stream(flows())).json()
    for key in ("prediction", "label", "probability"):
        assert as_columns[key] == as_rows[key]
    assert as_columns["verdicts"][1]["src_ip"] == "10.0.0.1"
    assert send(client, stream(flows()), "/invocations").json() == {"predictions": CODES}


@pytest.mark.parametrize("body", ["arrow", "json"])
def test_the_answer_is_columns_when_they_are_asked_for(client: httpx.Client, body: str) -> None:
    rows = flows().to_pylist()
    headers = {"Accept": ARROW, "Content-Type": ARROW if body == "arrow" else "application/json"}
    content = stream(flows()) if body == "arrow" else json.dumps(rows).encode()
    answer = client.post("/predict", content=content, headers=headers)
    assert answer.headers["content-type"] == ARROW
    table = pa.ipc.open_stream(answer.content).read_all()
    told = client.post("/predict", json=rows).json()
    assert table.to_pydict() == {key: told[key] for key in ("prediction", "label", "probability")}
    assert table.schema.metadata[b"model_version"] == b"1"
    codes = client.post("/invocations", content=content, headers=headers)
    assert pa.ipc.open_stream(codes.content).read_all().to_pydict() == {"predictions": CODES}


def test_what_is_wrong_with_columns_is_named(client: httpx.Client) -> None:
    table = flows()
    texts = pa.array(["x"] * len(CODES))
    answer = send(client, stream(table.drop_columns(["fwd_iat_tot"]))).json()
    assert answer["missing"] == ["fwd_iat_tot"]
    at = table.column_names.index("idle_min")
    assert send(client, stream(table.set_column(at, "idle_min", texts))).json()["not_numeric"] == ["idle_min"]
    twice = table.append_column("Idle Min", pa.array([1.0] * len(CODES)))
    assert send(client, stream(twice)).json()["conflicting"] == [["idle_min", "Idle Min"]]
    strange = table.append_column("colour", texts)
    assert "colour" in send(client, stream(strange)).json()["warnings"][0]


def test_integers_and_nulls_are_numbers(client: httpx.Client) -> None:
    table = flows()
    for name in COMMON_NAMES[:3]:
        column = pa.array([None, *[int(value) for value in table[name].to_pylist()[1:]]], pa.int64())
        table = table.set_column(table.column_names.index(name), name, column)
    answer = send(client, stream(table)).json()
    assert answer["prediction"][1:] == CODES[1:]
    assert answer["verdicts"][0]["features"][COMMON_NAMES[0]] == "NaN"


def test_what_could_grow_is_refused(client: httpx.Client) -> None:
    assert "compressed" in send(client, stream(flows(), compression="zstd")).json()["detail"]
    encoded = flows().append_column("more", pa.array(["x"] * len(CODES)).dictionary_encode())
    assert "dictionary" in send(client, stream(encoded)).json()["detail"]
    many = pa.table({"idle_min": pa.nulls(10_001)})
    assert send(client, stream(many)).status_code == 413


def test_explanations_are_no_columns(client: httpx.Client) -> None:
    answer = send(client, stream(flows()), "/predict?explain=true", Accept=ARROW)
    assert (answer.status_code, "ask for JSON" in answer.json()["detail"]) == (422, True)


@given(st.data())
def test_any_damage_is_an_error_or_a_table(data: st.DataObject) -> None:
    content = bytearray(stream(pa.table({"a": [1.0, 2.0], "b": ["x", None]})))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        table = read_arrow(bytes(content), 10)
    except (UnprocessableError, BodyTooLargeError):
        return
    assert table.num_rows <= 10
