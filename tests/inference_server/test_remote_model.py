"""A remote model as champion, over real sockets: this project's own service, and MLflow's protocol."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from detection.mlflow_client import embedded_uri
from helpers.certificates import make_pair
from helpers.command import running as running_command
from helpers.models import typical_flow, typical_table
from helpers.remote_model import Gateway, after_signature, by_row, gateway, passed_on, status
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.service import Service
from inference_server.settings import load_settings

HULK, BOT, SCAN = 5, 1, 17
SPLIT = {"Content-Type": "application/json; format=pandas-split"}
KEY = ("AKIAREMOTE1234567890", "secret-key-of-the-tests")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:predictions"
ENDPOINT = "/endpoints/ml-ids/invocations"


def split_body(*codes: int, names: tuple[str, ...] = ()) -> dict[str, Any]:
    rows = [typical_flow(code) for code in codes]
    columns = names or tuple(rows[0])
    return {"columns": columns, "data": [[row[name] for name in columns] for row in rows]}


def by_duration(row: dict[str, Any]) -> float:
    """Calls only flows of class HULK an attack, which the model here does with those of SCAN too."""
    return 1.0 if row.get("flow_duration", 0) > 1000 else 0.0


@pytest.fixture
def model() -> Iterator[Gateway]:
    with gateway(by_row(by_duration, version="7")) as running:
        yield running


@contextmanager
def service(state: Path, folder: Path, **settings: Any) -> Iterator[tuple[httpx.Client, Service]]:
    quick = {"remote_model_probe_seconds": 0.1, "remote_model_seconds": 20, "remote_model_tries": 1}
    defaults = {"start_cicflowmeter": "false", "demo": False, "flow_archive_gb": 0, "sensor_id": "sensor-1"}
    places = {"state_dir": folder / "var", "log_dir": folder / "logs"}
    chosen = {"mlflow_tracking_uri": embedded_uri(state)} | defaults | places | quick | settings
    app = create_app(load_settings(**chosen))
    with serving(app) as client:
        yield client, app.state.service


def health(client: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/health").json()
    return found


def all_well(client: httpx.Client) -> bool:
    found = health(client)
    return bool(found["model"]) and found["remote_model"]["answering"] and found["status"] == "healthy"


def logged(folder: Path) -> list[dict[str, Any]]:
    files = (folder / "logs").glob("*_predictions.log")
    return [json.loads(line) for path in files for line in path.read_text().splitlines()]


def makers(folder: Path) -> set[tuple[str, str]]:
    """Who sent flows that are logged, and which model judged them."""
    return {(line["source"], line["model"]["name"]) for line in logged(folder)}


def test_every_transport_is_answered_by_the_remote_model_and_then_by_the_registrys(
    champion_state: Path, tmp_path: Path, model: Gateway
) -> None:
    url = f"http://{model.address}/invocations"
    remote = {"name": f"http://{model.address}", "version": "7"}
    local = {"name": "ml-ids", "version": "1"}
    with service(champion_state, tmp_path, model_uri=url, log_negative_predictions=True) as (client, running):
        wait_until(lambda: all_well(client))
        assert health(client)["answering"] == remote
        answer = client.post("/predict", json=[typical_flow(HULK), typical_flow(SCAN)]).json()
        assert (answer["label"], answer["probability"]) == (["Attack", "benign"], [1.0, 0.0])
        assert (answer["model"], answer["threshold"]) == (remote, 0.5)
        answered = client.post("/api/predictions", json=split_body(HULK, SCAN), headers=SPLIT)
        assert answered.json() == [1.0, 0.0]
        invoked = client.post("/invocations", json={"dataframe_split": split_body(HULK, SCAN)})
        assert (invoked.json(), invoked.headers["x-model-version"]) == ({"predictions": [35, 0]}, "7")
        assert running.worker.hand_over(typical_table([HULK, SCAN, 0])) == 0
        wait_until(lambda: len(logged(tmp_path)) == 9)
        assert makers(tmp_path) == {("api", remote["name"]), ("sidecar", remote["name"])}

        model.answer = status(500, "out of order")
        for _ in range(4):
            assert client.post("/api/predictions", json=split_body(SCAN), headers=SPLIT).json() == [1.0]
        found = health(client)
        assert (found["status"], found["answering"]) == ("degraded", local)
        told = f"remote model {remote['name']}: status 500: out of order; ml-ids version 1 answers instead"
        assert told in found["reasons"]
        answer = client.post("/predict", json=typical_flow(SCAN)).json()
        assert (answer["label"], answer["model"]) == (["Portscan"], local)
        assert running.worker.hand_over(typical_table([SCAN])) == 0
        wait_until(lambda: ("sidecar", "ml-ids") in makers(tmp_path))
        assert client.get("/ready").status_code == 200
        metrics = client.get("/metrics").text
        assert "mlids_remote_model_answering 0.0" in metrics
        assert "mlids_remote_model_flows_total 9.0" in metrics

        model.answer = by_row(by_duration, version="8")
        wait_until(lambda: all_well(client))
        assert client.post("/predict", json=typical_flow(SCAN)).json()["model"]["version"] == "8"


def test_without_another_model_the_remote_one_serves_alone_and_its_failure_is_500(
    tmp_path: Path, model: Gateway
) -> None:
    away = {"mlflow_tracking_uri": "http://127.0.0.1:9", "mlflow_model_name": "models:/theirs@champion"}
    with service(tmp_path, tmp_path, model_uri=f"http://{model.address}/invocations", **away) as (
        client,
        running,
    ):
        wait_until(lambda: client.get("/ready").status_code == 200)
        found = health(client)
        assert (found["model"], found["model_initialized"], found["answering"]["version"]) == (
            None,
            True,
            "7",
        )
        names = ("flow_duration", "tot_fwd_pkts")
        few = split_body(HULK, 0, names=names)
        assert client.post("/api/predictions", json=few, headers=SPLIT).json() == [1.0, 0.0]
        assert json.loads(model.requests[-1].content)["dataframe_split"]["columns"] == list(names)
        assert running.worker.hand_over(typical_table([HULK])) == 0
        wait_until(lambda: health(client)["scoring"]["captured"] == 1)

        model.answer = status(500, "out of order")
        failed = client.post("/api/predictions", json=split_body(HULK), headers=SPLIT)
        assert failed.status_code == 500
        assert "status 500: out of order; and no other serves" in failed.json()["error"]
        failed = client.post("/predict", json=typical_flow(HULK))
        assert failed.status_code == 503
        assert running.worker.hand_over(typical_table([HULK])) == 0
        wait_until(lambda: client.get("/ready").status_code == 503)
        assert health(client)["scoring"]["waiting"] == 1

        model.answer = by_row(by_duration)
        wait_until(lambda: health(client)["scoring"]["captured"] == 2)


def test_what_no_model_reads_and_what_is_explained(
    champion_state: Path, tmp_path: Path, model: Gateway
) -> None:
    with service(champion_state, tmp_path, model_uri=f"http://{model.address}/invocations") as (client, _):
        wait_until(lambda: all_well(client))
        before = len(model.requests)
        assert client.post("/predict", json={"flow_duration": "x"}).status_code == 422
        assert client.post("/predict", json={"klingon": 1}).status_code == 422
        assert len(model.requests) == before
        answer = client.post("/predict", params={"explain": True}, json=typical_flow(HULK)).json()
        assert "does not explain" in answer["warnings"][-1]
        assert answer["verdicts"][0]["model"]["version"] == "7"


def test_the_variables_of_their_docker_run_start_the_service(
    champion_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As README of cstub/ml-ids-api has them: the keys in each other's place, and the host for its own."""
    pair = make_pair(tmp_path)
    settings = load_settings(
        state_dir=champion_state, log_dir=tmp_path / "theirs", start_cicflowmeter="false", demo=False
    )
    with serving(create_app(settings)) as theirs:
        wait_until(lambda: theirs.get("/ready").status_code == 200)
        answer = after_signature(passed_on(theirs), KEY, "eu-west-1")
        with gateway(answer, pair) as sagemaker:
            variables = {
                "AWS_REGION": "eu-west-1",
                "AWS_ACCESS_KEY": KEY[1],
                "AWS_SECRET_KEY": KEY[0],
                "AWS_SAGEMAKER_HOST": sagemaker.address,
                "AWS_SAGEMAKER_ENDPOINT": ENDPOINT,
                "AWS_SNS_PREDICTIONS_TOPIC": TOPIC,
            }
            here = {
                "SSL_CERT_FILE": str(pair.certificate),
                "AWS_ENDPOINT_URL_SNS": "http://127.0.0.1:9",
                "START_CICFLOWMETER": "false",
                "DEMO": "0",
                "REMOTE_MODEL_SECONDS": "20",
                "MLFLOW_TRACKING_URI": embedded_uri(champion_state),
            }
            with (
                running_command(["ml-ids", "serve", "--port", "0"], tmp_path, **variables, **here) as started,
                httpx.Client(base_url=started.url, timeout=60) as client,
            ):
                wait_until(lambda: health(client)["remote_model"]["answering"])
                body = split_body(SCAN, 0)
                answered = client.post("/api/predictions", json=body, headers=SPLIT)
                assert answered.json() == [1.0, 0.0]
                detail = client.post("/api/predictions?detail=1", json=body, headers=SPLIT).json()
                assert detail["model"] == {"name": "sagemaker:ml-ids", "version": "1"}
                assert [each["label"] for each in detail["details"]] == ["Attack", "benign"]
            assert "swap it with AWS_ACCESS_KEY" in started.output.read_text()
            assert {request.url.path for request in sagemaker.requests} == {ENDPOINT}
