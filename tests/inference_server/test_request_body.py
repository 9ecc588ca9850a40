from __future__ import annotations

import math

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from helpers.server import serving
from inference_server.errors import UnprocessableError, install_errors
from inference_server.request_body import parse_records, read_body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "No body"),
        (b" \n", "No body"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe{", "not JSON"),
        (b'{"\\ud800": 1}', "not JSON.*surrogates not allowed"),
        (b'{"label": "\\udfff"}', "not JSON.*surrogates not allowed"),
        (b"{}", "^No features provided$"),
        (b"[]", "^No features provided$"),
        (b'[{"a":1},{}]', "^No features provided$"),
        (b"[1]", "entry 0 is a number"),
        (b'[{"a":1},[]]', "entry 1 is a list"),
        (b'"flow"', "the body is a string"),
        (b"null", "the body is null"),
        (b"true", "the body is a boolean"),
        (b"1.5", "the body is a number"),
    ],
)
def test_what_is_no_flow_is_said(body: bytes, message: str) -> None:
    with pytest.raises(UnprocessableError, match=message):
        parse_records(body)


def test_one_flow_or_a_list() -> None:
    assert parse_records(b'{"a": 1}') == [{"a": 1}]
    assert parse_records(b'[{"a": 1}, {"a": 2}]') == [{"a": 1}, {"a": 2}]


def test_python_clients_may_write_nan_and_infinity() -> None:
    (record,) = parse_records(b'{"a": NaN, "b": -Infinity}')
    assert math.isnan(float(str(record["a"])))
    assert record["b"] == -math.inf


def test_a_body_over_the_limit_is_refused_announced_or_not() -> None:
    app = FastAPI()
    install_errors(app)

    @app.post("/")
    async def echo(request: Request) -> int:
        return len(await read_body(request, limit=1000))

    with serving(app) as client:
        assert client.post("/", content=b"x" * 1000).json() == 1000
        assert client.post("/", content=b"x" * 1001).status_code == 413
        try:
            answer = client.post("/", content=(b"x" * 100 for _ in range(11)))
        except httpx.WriteError:
            pytest.fail("the refusal must reach the client")
        assert answer.status_code == 413
