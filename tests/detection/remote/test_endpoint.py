from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest

from detection.remote.endpoint import Connection, Endpoint, RefusedError, RemoteError
from helpers.remote_model import Answer, Gateway, gateway, numbers, slowly, status
from helpers.tools import free_port

NAMES = ("flow_duration", "tot_fwd_pkts")
ROWS = np.array([[1.0, np.nan], [np.inf, 4.0]])
LONG = 60.0


@pytest.fixture
def model() -> Iterator[Gateway]:
    with gateway(numbers(1.0, 0.0)) as running:
        yield running


def ask(model: Gateway, **chosen: Any) -> tuple[list[float], str]:
    url = f"http://{model.address}/invocations"
    connection = Connection(Endpoint("theirs", url, **({"seconds": LONG} | chosen)))
    try:
        answer, version = connection.ask(ROWS, NAMES)
    finally:
        connection.close()
    return answer.p_attack.tolist(), version


def test_flows_are_sent_in_mlflows_envelope_without_what_json_has_not(model: Gateway) -> None:
    assert ask(model) == ([1.0, 0.0], "unknown")
    (request,) = model.requests
    assert request.headers["content-type"] == "application/json"
    split = {"columns": ["flow_duration", "tot_fwd_pkts"], "data": [[1.0, None], [None, 4.0]]}
    assert json.loads(request.content) == {"dataframe_split": split}


def test_or_bare_as_mlflow_1_read_them(model: Gateway) -> None:
    ask(model, format="pandas-split", headers={"Authorization": "Bearer k"})
    (request,) = model.requests
    assert request.headers["content-type"] == "application/json; format=pandas-split"
    assert request.headers["authorization"] == "Bearer k"
    assert sorted(json.loads(request.content)) == ["columns", "data"]


@pytest.mark.parametrize("header", ["X-Model-Version", "x-Amzn-Invoked-Production-Variant"])
def test_the_version_is_what_the_answer_says(model: Gateway, header: str) -> None:
    model.answer = lambda _: (200, {header: "7"}, b"[0, 0]")
    assert ask(model)[1] == "7"


def in_turn(*answers: Answer) -> Any:
    left = iter(answers)
    return lambda _: next(left)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_what_another_try_may_mend_is_tried_again(model: Gateway, code: int) -> None:
    model.answer = in_turn((code, {}, b"busy"), (200, {}, b"[0, 1]"))
    assert ask(model)[0] == [0.0, 1.0]
    assert len(model.requests) == 2


def test_as_often_as_it_was_said(model: Gateway) -> None:
    model.answer = status(503, "busy")
    with pytest.raises(RemoteError, match="status 503: busy"):
        ask(model, tries=3)
    assert len(model.requests) == 3


@pytest.mark.parametrize("code", [301, 401, 403, 404])
def test_what_no_try_mends_is_not(model: Gateway, code: int) -> None:
    model.answer = status(code, "no\nsuch thing")
    with pytest.raises(RemoteError, match=f"status {code}: no such thing"):
        ask(model, tries=3)
    assert len(model.requests) == 1


@pytest.mark.parametrize("code", [400, 413, 422])
def test_flows_may_be_refused(model: Gateway, code: int) -> None:
    model.answer = status(code, "missing columns")
    with pytest.raises(RefusedError, match="missing columns"):
        ask(model)


def test_a_model_that_takes_too_long(model: Gateway) -> None:
    model.answer = slowly(3.0, numbers(1.0, 0.0))
    with pytest.raises(RemoteError, match=r"no answer within 0\.2 s"):
        ask(model, seconds=0.2, tries=5)
    assert len(model.requests) == 1


def test_an_answer_without_end(model: Gateway) -> None:
    model.answer = lambda _: (200, {}, b" " * 1_000_000)
    with pytest.raises(RemoteError, match="more than 67536 bytes"):
        ask(model)


def test_an_answer_of_another_shape(model: Gateway) -> None:
    model.answer = numbers(1.0)
    with pytest.raises(RemoteError, match="1 answers to 2 flows"):
        ask(model)


def test_nobody_listens() -> None:
    with pytest.raises(RemoteError, match="refused"):
        ask(Gateway(f"127.0.0.1:{free_port()}", numbers()))


def test_what_signs_may_fail(model: Gateway) -> None:
    class Broken(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Any:
            raise ValueError("no AWS identity")

    with pytest.raises(RemoteError, match="no AWS identity"):
        ask(model, auth=Broken())
