"""`POST /api/predictions` answers what clients of cstub/ml-ids-api expect, fault for fault."""

from __future__ import annotations

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.headers import HEADERS
from flows.schema import COMMON_NAMES
from helpers.models import typical_flow
from helpers.server import wait_until

PATH = "/api/predictions"
CONTENT_TYPE = "application/json; format=pandas-split"
FIX = "Please provide a valid json request body in Pandas 'split' format."
BENIGN, HULK = 0, 5
FOREIGN = {"dst_port": 80, "protocol": 6, "timestamp": "21/02/2018 10:15:06"}


def frame(codes: list[int], names: tuple[str, ...] = COMMON_NAMES) -> pd.DataFrame:
    """Flows as the clients have them: 79 columns."""
    flows = [dict(zip(names, typical_flow(code).values(), strict=True)) for code in codes]
    return pd.DataFrame([FOREIGN | flow for flow in flows])


def post(client: httpx.Client, content: Any, content_type: str | None = CONTENT_TYPE) -> httpx.Response:
    headers = {} if content_type is None else {"Content-Type": content_type}
    return client.post(PATH, content=content, headers=headers)


def split(data: pd.DataFrame) -> str:
    return str(data.to_json(orient="split", index=False))


def test_an_array_of_numbers_in_the_order_of_the_rows(client: httpx.Client) -> None:
    answer = post(client, split(frame([BENIGN, HULK, BENIGN])))
    assert answer.status_code == 200
    assert answer.text == "[0.0,1.0,0.0]"


@pytest.mark.parametrize("header", ["cic-2017", "cic-2018", "cic-v4"])
def test_columns_of_any_set_in_any_order(client: httpx.Client, header: str) -> None:
    titles = {name: title for title, name in reversed(HEADERS[header].columns)}
    data = frame([HULK, BENIGN]).rename(columns=titles)
    assert post(client, split(data[data.columns[::-1]])).json() == [1.0, 0.0]


def test_another_method_is_refused(client: httpx.Client) -> None:
    assert client.get(PATH).status_code == 405


def test_an_index_and_missing_values_are_read(client: httpx.Client) -> None:
    data = frame([HULK, BENIGN])
    data.loc[0, "idle_min"] = math.nan
    data.index = pd.Index([7, 9])
    assert post(client, data.to_json(orient="split")).json() == [1.0, 0.0]


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json;format=pandas-split", "Application/JSON ;Format=Pandas-Split;"),
        *(f"{CONTENT_TYPE}; charset=utf-8", 'application/json; charset=utf-8; format="pandas-split"'),
    ],
)
def test_content_types_with_parameters(client: httpx.Client, content_type: str) -> None:
    assert post(client, split(frame([HULK])), content_type).json() == [1.0]


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain",
        "application/json",
        "application/json; format=pandas-records",
        "format=pandas-split",
    ],
)
def test_other_content_types(client: httpx.Client, content_type: str | None) -> None:
    answer = post(client, b"not even read", content_type)
    assert answer.status_code == 415
    assert answer.json() == {
        "error": f"Content-Type: '{content_type}' is not supported. "
        f"Supported content-types are ['{CONTENT_TYPE}']."
    }


def test_the_content_type_is_looked_at_before_the_body(client: httpx.Client) -> None:
    assert post(client, b"", "text/plain").status_code == 415


def test_no_body(client: httpx.Client) -> None:
    answer = post(client, b"")
    assert answer.status_code == 400
    assert answer.json() == {"error": f"No request body supplied. {FIX}"}


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (b"i_am_invalid", "The body is not JSON"),
        (b"[1]", "the body is a list: send an object with columns and data"),
        (b'{"columns": ["a"]}', "the body has no data"),
        (b'{"dataframe_split": {}}', "the body: unknown key 'dataframe_split'"),
        (b'{"columns": ["a"], "data": [[1, 2]]}', "the body.data: row 0 has 2 values for 1 columns"),
        (b'{"columns": ["a"], "data": []}', "No features provided"),
    ],
)
def test_bodies_that_are_no_flows(client: httpx.Client, body: bytes, cause: str) -> None:
    answer = post(client, body)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"Invalid request body supplied. {FIX} Cause: {cause}")


CELLS = st.one_of(st.floats(), st.integers(), st.none(), st.booleans(), st.text(max_size=4), st.just([1]))
BODIES = st.fixed_dictionaries(
    {
        "columns": st.lists(st.sampled_from([*COMMON_NAMES, "src_ip", "dst_port", "timestamp", "odd"])),
        "data": st.lists(st.lists(CELLS, max_size=3), max_size=3),
    }
).map(json.dumps)


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(BODIES.map(str.encode), st.binary(max_size=60)))
def test_no_body_is_a_server_error(client: httpx.Client, body: bytes) -> None:
    answer = post(client, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_missing_columns_are_named(client: httpx.Client) -> None:
    answer = post(client, split(frame([HULK]).drop(columns=["idle_min", "idle_max"])))
    assert answer.status_code == 400
    assert answer.json()["error"].endswith("Cause: Missing features: idle_max, idle_min")
    assert answer.json()["missing"] == ["idle_max", "idle_min"]


def test_keys_are_asked_for(serve: Any) -> None:
    with serve(api_keys="secret") as client:
        answer = post(client, split(frame([HULK])))
        assert answer.status_code == 401
        assert answer.json() == {"error": "API key missing: send X-API-Key or Authorization: Bearer"}
        client.headers["X-API-Key"] = "secret"
        assert post(client, split(frame([HULK]))).json() == [1.0]


def test_too_many_flows(client: httpx.Client) -> None:
    body = {"columns": ["a"], "data": [[1]] * 10_001}
    answer = post(client, json.dumps(body))
    assert answer.status_code == 413
    assert "10001 flows" in answer.json()["error"]


def test_no_model_yet(serve: Any, tmp_path: Path) -> None:
    with serve(ready=False, state_dir=tmp_path, mlflow_tracking_uri=f"sqlite:///{tmp_path}/own.db") as client:
        answer = post(client, split(frame([HULK])))
        assert answer.status_code == 503
        assert answer.json()["error"].startswith("Model not available: ")


def test_every_attack_is_an_alert_of_its_own_with_what_was_sent(serve: Any, tmp_path: Path) -> None:
    data = frame([HULK, BENIGN, HULK])
    data["src_ip"] = "192.0.2.7"
    with serve(log_dir=tmp_path) as client:
        assert post(client, split(data)).json() == [1.0, 0.0, 1.0]
        wait_until(lambda: client.get("/health").json()["alerts"]["opened"] == 2)
    alerts = [json.loads(line) for line in (tmp_path / "alerts.json").read_text().splitlines()]
    assert [alert["ml_ids"]["count"] for alert in alerts] == [1, 1]
    records = [json.loads(line) for line in (tmp_path / "positive_predictions.log").read_text().splitlines()]
    assert [
        (record["source"], record["dst_port"], record["protocol"], record["metadata"]["timestamp"])
        for record in records
    ] == [("api", *FOREIGN.values())] * 2


def test_the_curl_line_of_cstubs_readme_runs_with_only_the_address_changed(client: httpx.Client) -> None:
    line = (Path(__file__).parents[2] / "curl_api_predictions.sh").read_text()
    shown = "http://ml-ids-cluster-lb-1096011980.eu-west-1.elb.amazonaws.com/api"
    assert line.count(shown) == 1
    here = line.replace(shown, f"http://127.0.0.1:{client.base_url.port}/api")
    command = here.replace("curl ", "curl -s -w '\\n%{http_code}' ", 1)
    told = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    answer, status = told.stdout.splitlines()
    assert status == "200"
    (number,) = json.loads(answer)
    assert number in (0.0, 1.0)


def test_details_beside_the_same_numbers(client: httpx.Client) -> None:
    body = split(frame([BENIGN, HULK]))
    answer = client.post(f"{PATH}?detail=true", content=body, headers={"Content-Type": CONTENT_TYPE}).json()
    assert answer["predictions"] == post(client, body).json() == [0.0, 1.0]
    assert [detail["label"] for detail in answer["details"]] == ["benign", "DoS Hulk"]
    assert answer["details"][0]["probability"] < answer["threshold"] <= answer["details"][1]["probability"]
    assert answer["details"][1]["explanation"]["features"]
    assert answer["model"] == {"name": "ml-ids", "version": "1"}


def test_details_of_many_flows_go_without_explanations(client: httpx.Client) -> None:
    body = split(frame([BENIGN] * 101))
    answer = client.post(f"{PATH}?detail=1", content=body, headers={"Content-Type": CONTENT_TYPE}).json()
    assert {detail["explanation"] for detail in answer["details"]} == {None}
    assert "none is explained" in answer["warnings"][-1]


def test_detail_is_true_or_false(client: httpx.Client) -> None:
    answer = client.post(f"{PATH}?detail=perhaps", content="{}", headers={"Content-Type": CONTENT_TYPE})
    assert (answer.status_code, "detail: " in answer.json()["error"]) == (400, True)
