"""A sensor and its central service: over HTTPS with a key, and whatever is killed in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from detection.mlflow_client import embedded_uri
from helpers.central import central_service
from helpers.certificates import make_pair
from helpers.command import Command, running
from helpers.sensors import captured_table, logged_uids
from helpers.server import wait_until
from helpers.tools import free_port
from inference_server.central.scoring import CentralScoring
from inference_server.live_capture import CaptureStatus
from inference_server.settings import load_settings

KEY = "the-key-of-edge-1"
FLOWS = 200
Start = Callable[[], AbstractContextManager[Command]]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def start_central(champion_state: Path, tmp_path: Path, port: int) -> Start:
    """Run a central service as a process of its own; state, logs and port stay."""
    pair = make_pair(tmp_path)
    environment = {
        "MLFLOW_TRACKING_URI": embedded_uri(champion_state),
        "TLS_CERT_FILE": str(pair.certificate),
        "TLS_KEY_FILE": str(pair.key),
        "API_KEYS": f"edge-1:predict:{KEY}",
        "SENSOR_ID": "central",
        "START_CICFLOWMETER": "false",
        "LOG_NEGATIVE_PREDICTIONS": "true",
        "DEMO": "0",
    }

    def start() -> AbstractContextManager[Command]:
        return running(["ml-ids", "serve", "--port", str(port)], tmp_path, **environment)

    return start


@contextmanager
def sensor(tmp_path: Path, port: int, **changes: Any) -> Iterator[CentralScoring]:
    url = f"https://127.0.0.1:{port}"
    settings = {
        "remote_scoring_url": url,
        "remote_scoring_key": KEY,
        "remote_scoring_ca_file": tmp_path / "server.pem",
        "sensor_id": "edge-1",
        "state_dir": tmp_path / "sensor",
    }
    remote = CentralScoring(load_settings(**settings | changes), url, lambda: CaptureStatus(True, None, ()))
    remote.start()
    try:
        yield remote
    finally:
        remote.stop(3)


@pytest.mark.slow
def test_a_central_service_killed_in_the_middle_scores_every_flow_once(
    start_central: Start, tmp_path: Path, port: int
) -> None:
    logs = tmp_path / "logs"
    sent = 0

    def capture(remote: CentralScoring) -> None:
        nonlocal sent
        assert remote.put(captured_table([0, 5] * (FLOWS // 2), first_uid=sent)) == 0
        sent += FLOWS

    with sensor(tmp_path, port) as remote:
        with start_central() as central:
            while not logged_uids(logs):
                capture(remote)
                time.sleep(0.05)
            for _ in range(5):
                capture(remote)
            central.process.kill()
        for _ in range(5):
            capture(remote)
        with start_central():
            capture(remote)
            wait_until(lambda: remote.status().delivered == sent)
    assert logged_uids(logs) == dict.fromkeys([("edge-1", uid) for uid in range(sent)], 1)


def test_a_wrong_key_or_authority_loses_nothing_and_is_told(
    start_central: Start, tmp_path: Path, port: int
) -> None:
    with start_central():
        with sensor(tmp_path, port, remote_scoring_ca_file=None) as remote:
            remote.put(captured_table([5]))
            wait_until(lambda: "CERTIFICATE_VERIFY_FAILED" in str(remote.status().error))
        with sensor(tmp_path, port, remote_scoring_key="wrong") as remote:
            wait_until(lambda: "API key not accepted" in str(remote.status().error))
        with sensor(tmp_path, port) as remote:
            wait_until(lambda: remote.status().delivered == 1)
    assert logged_uids(tmp_path / "logs") == {("edge-1", 0): 1}


def test_a_sensor_needs_no_model_and_says_how_its_flows_fare(serve: Any, tmp_path: Path) -> None:
    with (
        central_service() as central,
        serve(state_dir=tmp_path / "sensor", remote_scoring_url=central.url, sensor_id="edge-1") as client,
    ):
        wait_until(lambda: central.reports)
        health = client.get("/health").json()
        assert (health["status"], health["central"]["error"]) == ("healthy", None)
        assert {"name": "spool"}.items() <= {each["name"]: each for each in health["stores"]}["spool"].items()
        asked = client.post("/predict", json={"tot_fwd_pkts": 1})
        assert (asked.status_code, "flows are scored there" in asked.json()["detail"]) == (503, True)
        assert 'mlids_thread_running{thread="central-sender"} 1.0' in client.get("/metrics").text
    assert not (tmp_path / "sensor" / "mlflow.db").exists()


def test_a_sensor_whose_central_service_is_away_is_not_ready(serve: Any, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with serve(ready=False, state_dir=tmp_path / "sensor", remote_scoring_url=url) as client:
        wait_until(lambda: client.get("/ready").status_code == 503)
        (missing,) = client.get("/ready").json()["missing"]
        assert f"0 flows wait to be scored at {url}: no answer" in missing
        assert missing in client.get("/health").json()["reasons"]
