from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capture.interfaces import may_capture
from flows.archive import read_archive
from flows.table import concat_tables
from helpers.extractor import extractor_tools
from helpers.models import typical_flow
from helpers.server import wait_until

needs_capture = pytest.mark.skipif(not may_capture(), reason="capturing is not permitted here")


@contextmanager
def _connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection over loopback: its client and its server end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with client, server:
            yield client, server


def _exchange(client: socket.socket, server: socket.socket) -> int:
    """Send something both ways; return the client's port."""
    for _ in range(3):
        client.sendall(b"question")
        server.recv(100)
        server.sendall(b"answer")
        client.recv(100)
        time.sleep(0.01)
    return int(client.getsockname()[1])


def _lines_of(directory: Path, port: int) -> list[dict[str, Any]]:
    texts = [path.read_text() for path in directory.glob("*_predictions.log")]
    lines = [json.loads(line) for text in texts for line in text.splitlines()]
    return [line for line in lines if line["src_port"] == port]


@needs_capture
def test_a_live_connection_is_in_the_log_within_5_seconds(serve: Any, tmp_path: Path) -> None:
    options = {"start_cicflowmeter": "true", "cic_interface": "lo", "log_negative_predictions": True}
    with serve(log_dir=tmp_path, **options) as client:
        with _connection() as ends:
            port = _exchange(*ends)
        closed = time.monotonic()
        wait_until(lambda: _lines_of(tmp_path, port), seconds=10)
        assert time.monotonic() - closed < 5
        health = client.get("/health").json()
    (line,) = _lines_of(tmp_path, port)
    assert (line["src_ip"], line["protocol"], line["end_reason"]) == ("127.0.0.1", 6, "fin")
    assert (line["source"], line["sensor"], line["interface"]) == ("sidecar", "sensor-1", "lo")
    features = line["features"]
    # Direction is by address alone, and loopback has one.
    assert features["totlen_fwd_pkts"] + features["totlen_bwd_pkts"] == 3 * len("questionanswer")
    assert health["status"] == "healthy"
    assert health["capture"]["interfaces"][0]["counters"]["packets"] > 0
    assert health["scoring"]["captured"] >= 1
    text = (tmp_path / "application.log").read_text()
    assert "started: interface lo, dialect improved, model ml-ids version 1" in text


@needs_capture
def test_the_stop_takes_open_flows_to_log_and_archive_within_5_seconds(
    serve: Any, champion_state: Path, tmp_path: Path
) -> None:
    options = {"start_cicflowmeter": "true", "cic_interface": "lo", "log_negative_predictions": True}
    with _connection() as ends:
        with serve(log_dir=tmp_path, flow_archive_gb=1, **options) as client:
            port = _exchange(*ends)
            wait_until(
                lambda: client.get("/health").json()["capture"]["interfaces"][0]["counters"]["packets"]
            )
            time.sleep(0.5)  # a ring block is retired after its time-out
            assert not _lines_of(tmp_path, port)
            began = time.monotonic()
        assert time.monotonic() - began < 5
    (line,) = _lines_of(tmp_path, port)
    assert line["end_reason"] == "flush"
    table = concat_tables(read_archive(champion_state / "flows"))
    (row,) = np.flatnonzero(table.src_port == port)
    verdict = {name: values[row] for name, values in table.extras.items()}
    assert (verdict["verdict"], verdict["p_attack"]) == (line["label"], line["p_attack"])
    assert (verdict["interface"], verdict["model_version"], table.sensor) == ("lo", "1", "sensor-1")


def test_only_captured_flows_are_archived(serve: Any, champion_state: Path, tmp_path: Path) -> None:
    with serve(log_dir=tmp_path, flow_archive_gb=1, demo=True) as client:
        client.post("/predict", json=typical_flow(5))
        wait_until(lambda: "demo capture replayed" in (tmp_path / "application.log").read_text())
        health = client.get("/health").json()
    assert {verdict["source"] for verdict in health["sink"]["verdicts"]} == {"api", "demo"}
    assert health["archive"]["running"]
    assert health["archive"]["written"] == health["archive"]["queued"] == 0


@needs_capture
def test_an_unknown_interface_leaves_the_api_serving(serve: Any) -> None:
    with serve(ready=False, start_cicflowmeter="true", cic_interface="nosuch0") as client:
        wait_until(lambda: client.get("/health").json()["model_initialized"])
        wait_until(lambda: "nosuch0 is down: " in client.get("/ready").text)
        ready, health = client.get("/ready"), client.get("/health")
        assert client.post("/predict", json=typical_flow(0)).status_code == 200
    assert ready.status_code == 503
    assert "nosuch0" in ready.json()["missing"][0]
    assert (health.status_code, health.json()["status"]) == (200, "degraded")


@needs_capture
def test_a_silent_wire_is_degraded(serve: Any) -> None:
    # The client's own requests would be heard on lo.
    with serve(
        start_cicflowmeter="true", cic_interface=_quiet_interface(), capture_silence_seconds=0.05
    ) as client:
        wait_until(lambda: "no packet for" in client.get("/health").text)
        assert client.get("/ready").status_code == 200


def _quiet_interface() -> str:
    names = [name for _, name in socket.if_nameindex() if name != "lo" and _is_up(name)]
    if not names:
        pytest.skip("there is no interface that is up but lo")
    return names[0]


def _is_up(interface: str) -> bool:
    return int(Path(f"/sys/class/net/{interface}/flags").read_text(), 16) & 1 == 1


def test_without_a_model_the_api_says_so_and_stays_responsive(serve: Any, tmp_path: Path) -> None:
    registry = f"sqlite:///{tmp_path}/missing/mlflow.db"
    with serve(ready=False, mlflow_tracking_uri=registry) as client:
        wait_until(lambda: "missing" in client.get("/ready").text)
        assert client.get("/").json() == {"message": "Inference server is running."}
        health = client.get("/health").json()
        predict = client.post("/predict", json=typical_flow(0))
        ready = client.get("/ready")
        metrics = client.get("/metrics").text
    assert (health["status"], health["model_initialized"], health["model"]) == ("degraded", False, None)
    assert predict.status_code == ready.status_code == 503
    assert predict.json()["detail"].startswith("Model not available: ")
    assert ready.json() == {"ready": False, "missing": [predict.json()["detail"]]}
    assert "mlids_model_loaded 0.0" in metrics


def test_a_model_of_another_name(serve: Any) -> None:
    with serve(ready=False, mlflow_model_name="models:/other/latest") as client:
        wait_until(lambda: "has no model 'other'" in client.get("/ready").text)


def test_nothing_is_left_running(serve: Any) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with serve():
        names = {thread.name for thread in threading.enumerate()}
        assert {"scoring", "sink", "minute-report"} <= names
    wait_until(
        lambda: not {"scoring", "sink", "minute-report"} & {t.name for t in threading.enumerate()} - before
    )


@needs_capture
def test_flows_of_the_other_extractor_are_scored_and_called_doubtful(
    serve: Any, request: pytest.FixtureRequest, champion_state: Path, tmp_path: Path
) -> None:
    tools = champion_state / "tools"
    tools.symlink_to(extractor_tools(request.config))
    options = {"start_cicflowmeter": "true", "cic_interface": "lo", "log_negative_predictions": True}
    try:
        with serve(log_dir=tmp_path, capture_extractor="cicflowmeter", **options) as client:
            with _connection() as ends:
                port = _exchange(*ends)
            wait_until(
                lambda: client.get("/health").json()["capture"]["interfaces"][0]["counters"]["metered"]
            )
            health = client.get("/health").json()
            time.sleep(1)
    finally:
        tools.unlink()
    (line,) = _lines_of(tmp_path, port)
    assert (line["src_ip"], line["protocol"], line["end_reason"]) == ("127.0.0.1", 6, "flush")
    assert health["status"] == "degraded"
    assert health["reasons"] == [
        "the model reads dialect improved, live capture measures python-cicflowmeter: "
        "the verdicts of captured flows are not what the model's card says; unset CAPTURE_EXTRACTOR"
    ]
    text = (tmp_path / "application.log").read_text()
    assert "it is known that every length is that of the frame" in text
    assert "as it was told to: verdicts are not what the model's card says" in text
