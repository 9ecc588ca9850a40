from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from detection.mlflow_client import embedded_uri
from flows.kdd99 import FEATURES, FLAGS, PROTOCOLS
from flows.labels import find_label
from helpers.kdd99 import EXAMPLE, NMAP, SMURF, made_up_connections, register_kdd99
from helpers.models import typical_flow
from helpers.registry import make_registry
from helpers.server import wait_until
from inference_server import kdd99

SHARED = Path(__file__).parents[3] / "shared" / "data" / "kdd99"
COLUMNS = (
    *FEATURES[:2], "service", *FEATURES[2:14], "num_root", *FEATURES[14:17], "num_outbound_cmds",
    "is_host_login", *FEATURES[17:21], "srv_serror_rate", FEATURES[21], "srv_rerror_rate", *FEATURES[22:],
    "dst_host_serror_rate", "dst_host_srv_serror_rate", "dst_host_rerror_rate", "dst_host_srv_rerror_rate",
    "target",
)  # fmt: skip


@pytest.fixture(scope="module")
def client(serve: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    state = make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("package"))
    register_kdd99(state, tmp_path_factory.mktemp("kdd99"), *made_up_connections())
    with serve(state_dir=state, kdd_model_name="models:/kdd99@champion") as client:
        wait_until(lambda: client.post("/predict", json=EXAMPLE).status_code == 200)
        yield client


def test_health_names_their_model(client: httpx.Client) -> None:
    told = client.get("/health").json()["kdd_model"]
    assert told == {"name": "kdd99", "version": "1", "error": None, "problems": []}


def test_connections_are_answered_in_their_clients_shape(client: httpx.Client) -> None:
    for sent, expected in ((EXAMPLE, "normal"), (SMURF, "dos"), (NMAP, "probe")):
        answer = client.post("/predict", json=sent)
        assert answer.status_code == 200
        assert set(answer.json()) == {"prediction", "confidence", "status"}
        assert (answer.json()["prediction"], answer.json()["status"]) == (expected, "success")
        assert 0.5 < answer.json()["confidence"] <= 1


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_all_flags_and_protocols_are_accepted(client: httpx.Client, flag: str, protocol: str) -> None:
    answer = client.post("/predict", json=EXAMPLE | {"flag": flag, "protocol_type": protocol})
    assert answer.status_code == 200


def test_time_order_and_other_keys_do_not_matter(client: httpx.Client) -> None:
    expected = client.post("/predict", json=EXAMPLE).json()
    turned = dict(reversed(EXAMPLE.items())) | {"time": 0, "service": "http", "target": "smurf."}
    assert client.post("/predict", json=turned).json() == expected
    timeless = {name: value for name, value in EXAMPLE.items() if name != "time"}
    assert client.post("/predict", json=timeless).json() == expected


def test_what_is_wrong_is_said_in_their_shape(client: httpx.Client) -> None:
    few = {name: value for name, value in EXAMPLE.items() if name != "duration"}
    answer = client.post("/predict", json=few)
    assert (answer.status_code, answer.json()) == (
        400,
        {"error": "Missing feature: duration", "status": "failed"},
    )
    broken = client.post("/predict", content=b'{"protocol_type": "tcp", ')
    assert (broken.status_code, broken.json()) == (400, {"error": "Request is not JSON", "status": "failed"})


def test_what_goes_wrong_inside_is_not_told(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kdd99, "_judge", lambda *_: 1 / 0)
    answer = client.post("/predict", json=EXAMPLE)
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal error", "status": "failed"})
    assert "ZeroDivisionError" in caplog.text


def test_flows_are_judged_as_ever(client: httpx.Client) -> None:
    answer = client.post("/predict", json=typical_flow(5) | {"protocol_type": "tcp", "count": 3})
    assert (answer.status_code, answer.json()["prediction"]) == (200, [5])


def test_without_such_a_model_they_get_503(
    serve: Callable[..., Any], champion_state: Path, tmp_path: Path
) -> None:
    registry = {"state_dir": tmp_path, "mlflow_tracking_uri": embedded_uri(champion_state)}
    with serve(**registry) as client:
        answer = client.post("/predict", json=EXAMPLE)
        assert (answer.status_code, answer.json()["status"]) == (503, "failed")
        assert "KDD_MODEL_NAME is not set" in answer.json()["error"]
    with serve(**registry, kdd_model_name="models:/ml-ids/1") as client:
        wait_until(lambda: "do not send" in client.post("/predict", json=EXAMPLE).json()["error"])
        health = client.get("/health").json()
        assert "do not send" in health["kdd_model"]["error"]
        assert any(reason.startswith("KDD99 clients get no answer") for reason in health["reasons"])
    with serve(**registry, kdd_model_name="models:/nobody@champion") as client:
        wait_until(lambda: "nobody" in client.post("/predict", json=EXAMPLE).json()["error"])
        assert client.post("/predict", json=EXAMPLE).status_code == 503


@pytest.mark.needs_shared
def test_a_model_of_the_kdd_data_calls_the_example_normal(
    serve: Callable[..., Any], champion_state: Path, tmp_path: Path
) -> None:
    with gzip.open(SHARED / "kddcup.data_10_percent.gz") as file:
        data = pd.read_csv(file, names=COLUMNS)
    # Half of the rows stand there twice and more: without them no row is on both sides.
    data = data.drop_duplicates().sample(frac=1.0, random_state=0)
    codes = data["target"].map(lambda text: find_label(text.rstrip(".")).code).to_numpy()
    data["flag"], data["protocol_type"] = data["flag"].map(FLAGS), data["protocol_type"].map(PROTOCOLS)
    rows = data[list(FEATURES)].to_numpy(np.float64)
    cut = len(rows) // 3
    forest = register_kdd99(tmp_path, tmp_path, rows[cut : cut + 40_000], codes[cut : cut + 40_000])
    assert forest.score(rows[:cut], codes[:cut]) > 0.995
    settings = {"state_dir": tmp_path, "mlflow_model_name": "models:/kdd99@champion"}
    with serve(**settings, kdd_model_name="models:/kdd99@champion") as client:
        wait_until(lambda: client.post("/predict", json=EXAMPLE).status_code == 200)
        answer = client.post("/predict", json=EXAMPLE).json()
    assert (answer["prediction"], answer["status"]) == ("normal", "success")
    assert answer["confidence"] > 0.9
