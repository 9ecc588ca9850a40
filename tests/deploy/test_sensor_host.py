"""`docker-compose up` on a sensor host: attacks on a wire reach log and queue, whatever is killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from boto3.session import Session

from helpers.compose_page import documented
from helpers.containers import ONLY_NET_RAW, START_SECONDS, UID, Container, Project, checkout, ready, running
from helpers.engine import ROOT, Engine
from helpers.server import wait_until
from helpers.veth import Wire, wire_on_the_host

pytestmark = pytest.mark.needs_engine

API = "http://127.0.0.1:8000"
REGISTRY = "http://127.0.0.1:5000"
QUEUES = "http://127.0.0.1:4566"
QUEUE = f"{QUEUES}/000000000000/ml-ids-attacks"
ATTACKERS = "203.0.113."
DEMO = ROOT / "data" / "demo" / "demo.pcap"
FLOW = DEMO.with_name("flow.json")
LOG = "/app/logs/positive_predictions.log"
FASTER = 20
"""The demo takes two minutes; attempts to connect are attempts at any speed."""


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with wire_on_the_host() as made:
        yield made


@pytest.fixture(scope="module")
def host(docker: Engine, wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The project as README starts it, with the queue that docs/compose.md describes."""
    project = checkout(docker, tmp_path_factory.mktemp("host") / "ml-ids-test")
    # Each replay is an alert of its own: one that went on would leave nothing pending at the kill.
    project.set(f"CIC_INTERFACE={wire.sensor}\nALERT_WINDOW_SECONDS=1\n{documented('aws-local')}")
    with running(project):
        wait_until(lambda: ready(API), seconds=START_SECONDS)
        yield project


def health() -> dict[str, Any]:
    try:
        found: dict[str, Any] = httpx.get(f"{API}/health", timeout=5).json()
        return found
    except httpx.HTTPError:
        return {"status": "away", "reasons": []}


def judges() -> bool:
    answer = httpx.post(f"{API}/predict", content=FLOW.read_bytes(), timeout=30)
    return answer.status_code == 200 and answer.json()["label"] == ["DoS Hulk"]


def attacks_logged(sensor: Container) -> int:
    lines = [json.loads(line) for line in sensor.exec("cat", LOG).splitlines()]
    return sum(line["source"] == "sidecar" and line["src_ip"].startswith(ATTACKERS) for line in lines)


def attacks_queued() -> list[dict[str, Any]]:
    """Take what waits in the queue."""
    sqs = Session("local", "local").client("sqs", region_name="eu-west-1", endpoint_url=QUEUES)
    taken = []
    while found := sqs.receive_message(QueueUrl=QUEUE, MaxNumberOfMessages=10).get("Messages"):
        for message in found:
            taken.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=QUEUE, ReceiptHandle=message["ReceiptHandle"])
    return taken


def wait_for_the_attack_in_the_queue() -> None:
    found: list[dict[str, Any]] = []

    def arrived() -> bool:
        found.extend(attacks_queued())
        return any(ATTACKERS in message["Message"] for message in found)

    wait_until(arrived, seconds=120)
    kinds = {message["MessageAttributes"]["prediction"]["Value"] for message in found}
    assert kinds == {"attack"}


def test_a_fresh_host_serves_the_starter_and_the_registry_s_pages_show_it(host: Project) -> None:
    assert set(host.services()) == {"ml-ids", "mlflow", "aws-local"}
    version = health()["model"]["version"]
    alias = {"name": "ml-ids", "alias": "champion"}
    # What the pages ask.
    found = httpx.get(f"{REGISTRY}/ajax-api/2.0/mlflow/registered-models/alias", params=alias, timeout=30)
    assert found.json()["model_version"]["version"] == version
    assert "MLflow" in httpx.get(REGISTRY, timeout=30).text
    assert judges()


def test_containers_run_as_stated(host: Project) -> None:
    for service in host.services():
        container = host.container(service)
        status = container.status
        assert status["Uid"].split() == [str(UID)] * 4, service
        allowed = ONLY_NET_RAW if service == "ml-ids" else 0
        assert {int(status[name], 16) for name in ("CapEff", "CapBnd")} <= {0, allowed}, service
        assert int(status["CapEff"], 16) == allowed, service
        assert container.inspect("{{.HostConfig.ReadonlyRootfs}}") == "true", service
    wait_until(lambda: host.container("ml-ids").inspect("{{.State.Health.Status}}") == "healthy", seconds=60)


def test_attacks_on_the_wire_reach_the_log_and_the_queue(host: Project, wire: Wire) -> None:
    sensor = host.container("ml-ids")
    wire.replay(DEMO, faster=FASTER)
    wait_until(lambda: attacks_logged(sensor), seconds=60)
    wait_for_the_attack_in_the_queue()


@pytest.mark.slow
def test_each_container_may_be_restarted(host: Project, wire: Wire) -> None:
    for service in host.services():
        host.restart(service)
        wait_until(lambda: ready(API), seconds=START_SECONDS)
        wait_until(lambda: health()["status"] == "healthy", seconds=START_SECONDS)
    logged = attacks_logged(host.container("ml-ids"))
    assert logged
    wire.replay(DEMO, faster=FASTER)
    wait_until(lambda: attacks_logged(host.container("ml-ids")) > logged, seconds=60)
    wait_for_the_attack_in_the_queue()


def test_killed_it_comes_back_and_delivers_what_was_pending(host: Project, wire: Wire) -> None:
    attacks_queued()
    host.compose("stop", "aws-local")
    sensor = host.container("ml-ids")
    logged = attacks_logged(sensor)
    wire.replay(DEMO, faster=FASTER)
    wait_until(lambda: attacks_logged(sensor) > logged, seconds=60)
    started = sensor.inspect("{{.State.StartedAt}}")
    os.kill(sensor.pid, signal.SIGKILL)
    # The engine starts again what died.
    wait_until(lambda: sensor.inspect("{{.State.StartedAt}}") != started, seconds=60)
    host.compose("start", "aws-local")
    wait_until(lambda: ready(API), seconds=START_SECONDS)
    wait_for_the_attack_in_the_queue()


def test_without_its_registry_it_serves_on_degraded(host: Project) -> None:
    host.compose("stop", "mlflow")
    wait_until(lambda: REGISTRY in " ".join(health()["reasons"]), seconds=120)
    assert health()["status"] == "degraded"
    assert ready(API)
    assert judges()
    # From its cache, also when it is started then.
    host.restart("ml-ids")
    wait_until(lambda: ready(API), seconds=START_SECONDS)
    assert judges()
    host.compose("start", "mlflow")
    wait_until(lambda: health()["status"] == "healthy", seconds=START_SECONDS)


def test_nothing_is_written_outside_the_volumes_and_down_leaves_them(host: Project) -> None:
    for service in host.services():
        assert host.container(service).written() == [], service
    there = {path for path in host.folder.rglob("*") if path.is_file()} - {host.folder / ".env"}
    assert {path for path in there if not (ROOT / path.relative_to(host.folder)).is_file()} == set()
    sensor = host.container("ml-ids")
    host.compose("down")
    assert not ready(API)
    assert host.docker.run("docker", "inspect", sensor.name, check=False).returncode != 0
    volume = host.docker.run("docker", "volume", "inspect", "-f", "{{.Mountpoint}}", "ml-ids-test_logs")
    kept = Path(volume.stdout.strip(), "positive_predictions.log").read_text()
    assert ATTACKERS in kept
