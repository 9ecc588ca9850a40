"""What the READMEs of the predecessors say to type, with other addresses: it starts the sensor's image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from boto3.session import Session

from detection.mlflow_client import open_client
from helpers.containers import START_SECONDS, UID, Container, checkout, container, ready, running
from helpers.engine import ROOT, Engine
from helpers.models import typical_flow
from helpers.queues import row_of
from helpers.server import wait_until
from helpers.tools import free_port
from helpers.veth import Wire, wire_on_the_host

pytestmark = [pytest.mark.needs_engine, pytest.mark.slow]

API = "http://127.0.0.1:8000"
ATTACK = 17
KEYS = {"AWS_ACCESS_KEY_ID": "ACCESSKEY12345678", "AWS_SECRET_ACCESS_KEY": "SECRETKEY12345678"}
THEIR_MODEL = "ML_IDS_Model_v1"
DEMO = ROOT / "data" / "demo" / "demo.pcap"
COMPOSE = """\
version: '3.8'
services:
  ml-ids:
    build:
      context: .
      dockerfile: src/inference_server/Dockerfile
    container_name: ml-ids
    network_mode: host
    cap_add:
      - NET_RAW
      - NET_ADMIN
    environment:
      - MLFLOW_TRACKING_URI={registry}
      - MLFLOW_S3_ENDPOINT_URL={store}
      - AWS_ACCESS_KEY_ID={AWS_ACCESS_KEY_ID}
      - AWS_SECRET_ACCESS_KEY={AWS_SECRET_ACCESS_KEY}
      - START_CICFLOWMETER=true
      - MLFLOW_MODEL_NAME=models:/ML_IDS_Model_v1/latest
      - CIC_INTERFACE={interface}
      - LOG_DIR=/app/logs
      - LOG_NEGATIVE_PREDICTIONS=true
    volumes:
      - {logs}:/app/logs
    restart: unless-stopped
"""


@dataclass(frozen=True)
class Registry:
    """An MLflow server whose clients read and write its S3 store themselves."""

    url: str
    store: str

    @property
    def options(self) -> tuple[str, ...]:
        variables = {"MLFLOW_TRACKING_URI": self.url, "MLFLOW_S3_ENDPOINT_URL": self.store, **KEYS}
        return tuple(part for name, value in variables.items() for part in ("-e", f"{name}={value}"))


@pytest.fixture(scope="module")
def registry(docker: Engine, image: str) -> Iterator[Registry]:
    """Their servers, with the starter registered as ours and under the name of theirs."""
    server = docker.build("ml-ids-mlflow", "Dockerfile", "mlflow")
    store = docker.build("ml-ids-s3", "deploy/docker/s3.Dockerfile")
    url, s3 = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    keys = tuple(part for name, value in KEYS.items() for part in ("-e", f"{name}={value}"))
    command = ("mlflow", "server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2], "--workers", "1")
    command += ("--backend-store-uri", "sqlite:////mlflow/mlflow.db", "--no-serve-artifacts")
    command += ("--default-artifact-root", "s3://mlflow/models")
    found = Registry(url, s3)
    with (
        container(docker, store, "-p", f"{s3.removeprefix('http://')}:9000", *keys),
        container(docker, server, "--network", "host", command=command),
    ):
        wait_until(lambda: answers(f"{url}/health"), seconds=START_SECONDS)
        options = ("--rm", "--network", "host", *found.options, "-e", "REGISTER_STARTER=true")
        docker.run("docker", "run", *options, image, "models")
        client = open_client(url)
        ours = client.get_model_version("ml-ids", "1")
        client.create_registered_model(THEIR_MODEL)
        client.create_model_version(THEIR_MODEL, ours.source, tags=ours.tags)
        yield found


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with wire_on_the_host() as made:
        yield made


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A folder of the host that nobody made or gave to anyone."""
    return tmp_path / "var" / "log" / "ml-ids"


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def serves(name: str, wire: Wire, logs: Path) -> None:
    """The model of that name judges flows and the wire, and logs as they expect."""
    wait_until(lambda: ready(API), seconds=START_SECONDS)
    health = httpx.get(f"{API}/health", timeout=60).json()
    assert (health["model_initialized"], health["model"]["name"]) == (True, name)
    assert [each["interface"] for each in health["capture"]["interfaces"]] == [wire.sensor]
    answer = httpx.post(f"{API}/predict", json=typical_flow(ATTACK), timeout=60).json()
    assert [type(code) for code in answer["prediction"]] == [int]
    wire.replay(DEMO, faster=20)
    wait_until(lambda: (logs / "positive_predictions.log").stat().st_size > 0)
    assert {path.stat().st_uid for path in (logs, *logs.iterdir())} == {UID}


def test_docker_run_of_the_inference_server(
    docker: Engine, image: str, registry: Registry, wire: Wire, logs: Path
) -> None:
    options = ("--network", "host", "--cap-add=NET_RAW", "--cap-add=NET_ADMIN", *registry.options)
    settings = ("-e", f"CIC_INTERFACE={wire.sensor}", "-v", f"{logs}:/app/logs")
    with container(docker, image, *options, *settings):
        serves("ml-ids", wire, logs)


def test_the_compose_file_of_the_inference_server(
    docker: Engine, registry: Registry, wire: Wire, logs: Path, tmp_path: Path
) -> None:
    project = checkout(docker, tmp_path / "ml-ids-theirs")
    chosen = COMPOSE.format(
        registry=registry.url, store=registry.store, interface=wire.sensor, logs=logs, **KEYS
    )
    (project.folder / "docker-compose.yml").write_text(chosen)
    with running(project):
        serves(THEIR_MODEL, wire, logs)
        wait_until(lambda: (logs / "negative_predictions.log").stat().st_size > 0)


@pytest.fixture
def network(docker: Engine) -> Iterator[str]:
    docker.run("docker", "network", "create", "ml-ids-test-cloud")
    yield "ml-ids-test-cloud"
    docker.run("docker", "network", "rm", "ml-ids-test-cloud")


@pytest.fixture
def cloud(docker: Engine, network: str) -> Iterator[Container]:
    """Their SNS and SQS, as `cloud`."""
    emulator = docker.build("ml-ids-aws-local", "deploy/docker/aws-local.Dockerfile")
    settings = ("-e", "GATEWAY_PORT=4566", "-e", "BIND_HOST=0.0.0.0", "-e", "MINISTACK_REGION=eu-west-1")
    with container(docker, emulator, "--network", network, "--network-alias", "cloud", *settings) as started:
        wait_until(lambda: "attacks arrive at" in started.logs(), seconds=START_SECONDS)
        yield started


def test_docker_run_of_the_api(docker: Engine, image: str, network: str, cloud: Container) -> None:
    port = free_port()
    theirs = {
        "AWS_REGION": "eu-west-1",
        "AWS_ACCESS_KEY": "local",
        "AWS_SECRET_KEY": "local",
        "AWS_SAGEMAKER_HOST": "runtime.sagemaker.eu-west-1.amazonaws.com",
        "AWS_SAGEMAKER_ENDPOINT": "/endpoints/ml-ids/invocations",
        "AWS_SNS_PREDICTIONS_TOPIC": "arn:aws:sns:eu-west-1:000000000000:ml-ids-attacks",
    }
    ours = {"PORT": "5000", "ALLOW_UNAUTHENTICATED": "true", "AWS_ENDPOINT_URL_SNS": "http://cloud:4566"}
    variables = [part for name, value in (theirs | ours).items() for part in ("-e", f"{name}={value}")]
    with container(docker, image, "-p", f"{port}:5000", "--network", network, *variables):
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), seconds=START_SECONDS)
        flow = json.loads((ROOT / "data" / "demo" / "flow.json").read_text())
        body = {"columns": [*flow], "data": [[*flow.values()]]}
        kind = {"Content-Type": "application/json; format=pandas-split"}

        def predicted() -> httpx.Response:
            return httpx.post(f"http://127.0.0.1:{port}/api/predictions", headers=kind, json=body, timeout=30)

        wait_until(lambda: predicted().status_code == 200, seconds=START_SECONDS)
        assert predicted().json() == [1.0]
        address = cloud.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
        messages: list[dict[str, Any]] = []
        wait_until(lambda: messages.extend(received(f"http://{address}:4566")) or messages)
        assert row_of(json.loads(messages[0]["Body"]))["prediction"] == 1.0


def received(url: str) -> list[dict[str, Any]]:
    sqs = Session("local", "local").client("sqs", region_name="eu-west-1", endpoint_url=url)
    queue = f"{url}/000000000000/ml-ids-attacks"
    found: list[dict[str, Any]] = sqs.receive_message(QueueUrl=queue).get("Messages", [])
    return found
