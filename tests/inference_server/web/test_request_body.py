from __future__ import annotations

import math

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from flows.records import Rows
from helpers.server import serving
from inference_server.web.errors import BodyTooLargeError, UnprocessableError, install_errors
from inference_server.web.request_body import Body, parse_flows, read_body


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
        parse_flows(Body(body))


def _only(body: bytes, media_type: str = "application/json", **options: int) -> Rows:
    (rows,) = parse_flows(Body(body, media_type), **options)
    return rows


def test_one_flow_or_a_list() -> None:
    assert _only(b'{"a": 1}') == Rows(("a",), [(1,)])
    assert _only(b'[{"a": 1}, {"a": 2}]') == Rows(("a",), [(1,), (2,)])
    mixed = parse_flows(Body(b'[{"a": 1, "b": 2}, {"b": 2, "a": 1}]'))
    assert [rows.titles for rows in mixed] == [("a", "b"), ("b", "a")]


def test_python_clients_may_write_nan_and_infinity() -> None:
    ((nan, infinity),) = _only(b'{"a": NaN, "b": -Infinity}').values
    assert math.isnan(float(str(nan)))
    assert infinity == -math.inf


def test_csv_has_titles_and_an_empty_cell_is_nan() -> None:
    rows = _only(b'\xef\xbb\xbfa,"b ,c",d\r\n1,x,\r\n\r\n-Infinity,"1\n2",1_0\r\n', "text/csv")
    assert rows.titles == ("a", "b ,c", "d")
    assert rows.values == [[1.0, "x", None], [-math.inf, "1\n2", "1_0"]]
    assert rows.null_is_nan


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff\xfe\x00", "not CSV: .*decode"),
        (b'a,b\n1,"2', "not CSV: .*end of data"),
        (b"a,b\n1,2\n3", "CSV: row 1 has 1 values for 2 columns"),
        (b"a,b\n", "No features provided"),
        (b"a\n" + b"x" * 200_000, "not CSV: field larger"),
    ],
)
def test_what_is_no_csv_is_said(body: bytes, message: str) -> None:
    with pytest.raises(UnprocessableError, match=message):
        parse_flows(Body(body, "text/csv"))


def test_more_flows_than_are_judged_at_once() -> None:
    body = b'{"dataframe_split": {"columns": ["a"], "data": [[1], [2], [3]]}}'
    assert len(_only(body, max_flows=3).values) == 3
    with pytest.raises(BodyTooLargeError, match=r"holds 3 flows, at most 2 .* several requests"):
        parse_flows(Body(body), max_flows=2)


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
