from __future__ import annotations

import json
import math
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from clients.rest_client import api as module
from clients.rest_client.api import PredictionApi, split_json
from helpers.server import serving


def predict(url: str, flows: pd.DataFrame, key: str | None = None) -> list[float]:
    with closing(PredictionApi(url, key, 60)) as api:
        return api.predict(flows)


def test_flows_are_judged(api_url: str, labelled: pd.DataFrame) -> None:
    flows = labelled.drop(columns="label")
    expected = [0.0] * 5 + [1.0] * 5
    assert predict(api_url, flows) == expected
    assert predict(f"{api_url}/api/predictions/", flows) == expected


def test_many_flows_are_several_requests(
    api_url: str, labelled: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FLOWS_AT_ONCE", 4)
    flows = labelled.drop(columns="label")
    assert predict(api_url, flows) == [0.0] * 5 + [1.0] * 5


def test_every_kind_of_cell() -> None:
    frame = pd.DataFrame(
        {
            "integer": np.array([1], np.int64),
            "float": [0.5],
            "nan": [math.nan],
            "inf": [math.inf],
            "text": ["21/02/2018 10:15:06"],
            "none": pd.Series([None], dtype=object),
            "time": [pd.Timestamp("2018-02-21 10:15:06")],
            "nothing": pd.Series([pd.NA], dtype="Int64"),
        }
    )
    sent = json.loads(split_json(frame))
    assert sent["columns"] == [*frame.columns]
    assert sent["data"] == [
        [1, 0.5, None, "Infinity", "21/02/2018 10:15:06", None, "2018-02-21 10:15:06", None]
    ]


def test_refusals_are_told_with_their_status(api_url: str, labelled: pd.DataFrame) -> None:
    with pytest.raises(OSError, match=r"^400 - .*Missing features: idle_min"):
        predict(api_url, labelled.drop(columns=["label", "idle_min"]))


def test_a_server_that_is_away(labelled: pd.DataFrame) -> None:
    with pytest.raises(OSError, match=r"Cannot reach http://127.0.0.1:9/.* is the server running"):
        predict("http://127.0.0.1:9", labelled)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "http://[", "nonsense"])
def test_what_is_no_url(url: str, labelled: pd.DataFrame) -> None:
    with pytest.raises(OSError, match="--api-url right"):
        predict(url, labelled)


@pytest.mark.parametrize("content", ["", "<html>", "{}", "[]", '["a"]', "[1.0, 0.0]"])
def test_another_kind_of_server(content: str, labelled: pd.DataFrame) -> None:
    async def answer(_: Request) -> Response:
        return Response(content)

    with (
        serving(Starlette(routes=[Route("/base/api/predictions", answer, methods=["POST"])])) as client,
        pytest.raises(OSError, match="answered no array of 1 numbers"),
    ):
        predict(f"{client.base_url}/base", labelled.head(1))


def test_keys_are_brought(labelled: pd.DataFrame) -> None:
    async def answer(request: Request) -> Response:
        return Response(f"[{float(request.headers['x-api-key'] == 'secret')}]")

    with serving(Starlette(routes=[Route("/api/predictions", answer, methods=["POST"])])) as client:
        assert predict(str(client.base_url), labelled.head(1), "secret") == [1.0]
