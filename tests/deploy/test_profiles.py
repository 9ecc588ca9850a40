"""docker-compose.yml's profiles s3 and monitoring, and secrets in files, with a real engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml
from boto3.session import Session
from botocore.exceptions import ClientError

from helpers.compose_page import documented
from helpers.containers import START_SECONDS, Project, checkout, ready, running
from helpers.engine import ROOT, Engine
from helpers.models import typical_flow
from helpers.server import wait_until

pytestmark = [pytest.mark.needs_engine, pytest.mark.slow]

API = "http://127.0.0.1:8000"
STORE = "http://127.0.0.1:9000"
PROMETHEUS = "http://127.0.0.1:9090"
KEYS = ("AKIAOFTHESTORE12345", "secret-of-the-store")
KEY = "key-in-a-file"
ATTACK = 17


@pytest.fixture(scope="module")
def host(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    project = checkout(docker, tmp_path_factory.mktemp("profiles") / "ml-ids-profiles")
    config = tmp_path_factory.mktemp("config")
    config.chmod(0o755)
    (config / "api-keys").write_text(f"tests:predict:{KEY}\n")
    text = documented("s3").replace("COMPOSE_PROFILES=s3", "COMPOSE_PROFILES=s3,monitoring")
    for name, value in zip(("AWS_ACCESS_KEY_ID=\n", "AWS_SECRET_ACCESS_KEY=\n"), KEYS, strict=True):
        text = text.replace(name, f"{name[:-1]}{value}\n")
    project.set(f"{text}CIC_INTERFACE=lo\nCONFIG_DIR={config}\nAPI_KEYS_FILE=/etc/ml-ids/api-keys\n")
    with running(project):
        wait_until(lambda: ready(API), seconds=START_SECONDS)
        yield project


def test_the_registry_keeps_the_starter_in_the_store(host: Project) -> None:
    store = Session(*KEYS).client("s3", region_name="eu-west-1", endpoint_url=STORE)
    kept = [each["Key"] for each in store.list_objects_v2(Bucket="mlflow").get("Contents", ())]
    assert any(name.endswith("compiled/model.npz") for name in kept)
    assert "from the registry" in host.container("ml-ids").logs()
    stranger = Session("AKIAOFSOMEBODYELSE1", "guessed").client(
        "s3", region_name="eu-west-1", endpoint_url=STORE
    )
    with pytest.raises(ClientError):
        stranger.list_objects_v2(Bucket="mlflow")


def test_prometheus_sees_the_sensor_and_evaluates_the_rules(host: Project) -> None:
    def asked(what: str) -> Any:
        return httpx.get(f"{PROMETHEUS}/api/v1/{what}", timeout=10).json()["data"]

    def up() -> bool:
        return [each["health"] for each in asked("targets")["activeTargets"]] == ["up"]

    def evaluated() -> bool:
        return all(rule["health"] == "ok" for group in asked("rules")["groups"] for rule in group["rules"])

    wait_until(up, seconds=120)
    wait_until(evaluated, seconds=180)
    ours = yaml.safe_load((ROOT / "deploy" / "monitoring" / "rules.yml").read_text())["groups"][0]["rules"]
    loaded = {rule["name"] for group in asked("rules")["groups"] for rule in group["rules"]}
    assert loaded == {rule["alert"] for rule in ours}


def test_a_secret_in_a_file_is_asked_for(host: Project) -> None:
    assert httpx.post(f"{API}/predict", json=typical_flow(ATTACK), timeout=60).status_code == 401
    headers = {"X-API-Key": KEY}
    assert (
        httpx.post(f"{API}/predict", json=typical_flow(ATTACK), headers=headers, timeout=60).status_code
        == 200
    )
    told = host.docker.run("docker", "inspect", host.container("ml-ids").name).stdout
    assert KEY not in told


def test_nothing_is_written_outside_the_volumes(host: Project) -> None:
    for service in host.services():
        assert host.container(service).written() == [], service
