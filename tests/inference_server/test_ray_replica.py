"""Two replicas of the API in Ray Serve, on two nodes, as deploy/ray/serve.yaml has them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from detection.package import load_package
from detection.registry import STARTER
from flows.records import table_from_records
from helpers.ray_cluster import RayCluster, ray_cluster
from helpers.server import wait_until
from helpers.tools import free_port

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "deploy" / "ray" / "serve.yaml"
FLOW = (ROOT / "data" / "demo" / "flow.json").read_bytes()
SECONDS = 400

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RayCluster]:
    folders = {"STATE_DIR": str(tmp_path / "var"), "LOG_DIR": str(tmp_path / "logs")}
    with ray_cluster(**folders) as running:
        yield running


@pytest.fixture
def api(cluster: RayCluster, tmp_path: Path) -> Iterator[httpx.Client]:
    """The replicas, once one answers."""
    config, port = tmp_path / "serve.yaml", free_port()
    assert "port: 8000" in CONFIG.read_text()
    config.write_text(CONFIG.read_text().replace("port: 8000", f"port: {port}"))
    output = tmp_path / "serve.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "serve", "run", str(config)],
            env=os.environ | cluster.environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            wait_until(lambda: ready(client) or process.poll() is not None, seconds=SECONDS)
            assert process.poll() is None, output.read_text()
            yield client
    finally:
        process.kill()
        process.wait(30)


def ready(client: httpx.Client) -> bool:
    try:
        return client.get("/ready").status_code == 200
    except httpx.HTTPError:
        return False


def answered_by(logs: Path) -> dict[str, int]:
    """Return how many flows each replica has logged."""
    files = logs.glob("replica-*/positive_predictions.log")
    return {path.parent.name: len(path.read_bytes().splitlines()) for path in files}


def test_replicas_share_the_requests_and_answer_as_the_model_does(
    cluster: RayCluster, api: httpx.Client, tmp_path: Path
) -> None:
    verdicts = load_package(STARTER).score(table_from_records([json.loads(FLOW)], dialect="improved").table)
    sent = 0

    def both_answered() -> bool:
        nonlocal sent
        answer = api.post("/predict", content=FLOW, headers={"content-type": "application/json"})
        answer.raise_for_status()
        sent += 1
        assert answer.json()["probability"] == verdicts.p_attack.tolist()
        return len(answered_by(tmp_path / "logs")) == 2

    wait_until(both_answered, seconds=SECONDS)
    wait_until(lambda: sum(answered_by(tmp_path / "logs").values()) == sent)
    cluster.nodes[1].kill()
    wait_until(lambda: api.post("/predict", content=FLOW).status_code == 200, seconds=SECONDS)
    assert api.get("/ready").status_code == 200
