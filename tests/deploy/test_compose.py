"""docker-compose.yml: it passes every setting on, holds no secret, and runs with a real engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from helpers.engine import Engine
from helpers.models import typical_flow
from helpers.server import wait_until
from inference_server.settings import LIBRARY_SECRETS, Settings

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
PROFILES = ("aws-local", "s3", "monitoring")
OF_THE_IMAGE = {"LOG_DIR", "STATE_DIR"}
ATTACK = 17
API = "http://127.0.0.1:8000"
REGISTRY = "http://127.0.0.1:5000"


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_every_setting_reaches_the_service() -> None:
    passed = {line.partition("=")[0] for line in services()["ml-ids"]["environment"]}
    own = {name.upper() for name in Settings.model_fields} - OF_THE_IMAGE
    assert passed >= own | set(LIBRARY_SECRETS)


def test_every_service_is_as_narrow_as_the_sensor() -> None:
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
    assert [name for name, service in services().items() if "cap_add" in service] == ["ml-ids"]


def test_no_value_of_a_secret_stands_in_it() -> None:
    secret = ("KEY", "SECRET", "PASSWORD", "TOKEN")
    for name, service in services().items():
        for line in service.get("environment", ()):
            variable, _, value = line.partition("=")
            assert not value or not any(word in variable for word in secret), f"{name}: {variable}"


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="needs docker-compose")
def test_docker_compose_reads_it() -> None:
    given = [argument for profile in PROFILES for argument in ("--profile", profile)]
    command = ["docker-compose", "-f", str(FILE), *given, "config", "--services"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert set(told.stdout.split()) == services().keys()


@pytest.fixture
def up(docker: Engine) -> Any:
    """The project, up; down and its volumes gone afterwards."""
    compose = ("docker-compose", "-f", str(FILE), "--project-name", "ml-ids-test")
    docker.run(*compose, "up", "--detach", "--build")
    try:
        yield lambda *command: docker.run(*compose, *command).stdout
    finally:
        docker.run(*compose, "down", "--volumes", "--timeout", "20")


@pytest.mark.slow
def test_up_restarted_killed_and_without_its_registry_it_serves(docker: Engine, up: Any) -> None:
    wait_until(_ready, seconds=300)
    # The registry's own API knows what serves.
    version = httpx.get(f"{API}/health").json()["model"]["version"]
    found = httpx.get(
        f"{REGISTRY}/api/2.0/mlflow/registered-models/alias", params={"name": "ml-ids", "alias": "champion"}
    )
    assert found.json()["model_version"]["version"] == version
    assert _label()
    up("restart", "ml-ids")
    wait_until(_ready, seconds=300)
    docker.run("docker", "kill", "--signal", "KILL", up("ps", "-q", "ml-ids").strip())
    wait_until(lambda: not _ready(), seconds=60)
    # The engine does not restart what was killed by hand.
    up("stop", "mlflow")
    up("start", "ml-ids")
    wait_until(_ready, seconds=300)
    wait_until(lambda: REGISTRY in _reasons(), seconds=60)
    assert _label()
    up("start", "mlflow")
    wait_until(lambda: REGISTRY not in _reasons(), seconds=300)
    changed = docker.run("docker", "diff", up("ps", "-q", "ml-ids").strip()).stdout.split("\n")
    assert not [line for line in changed if line and "/app/" in line], "written outside the volumes"


def _health() -> dict[str, Any]:
    try:
        found: dict[str, Any] = httpx.get(f"{API}/health", timeout=5).json()
        return found
    except httpx.HTTPError:
        return {"reasons": [f"{API} and {REGISTRY} are away"]}


def _reasons() -> str:
    return " ".join(_health()["reasons"])


def _ready() -> bool:
    try:
        return httpx.get(f"{API}/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _label() -> str:
    return str(httpx.post(f"{API}/predict", json=typical_flow(ATTACK), timeout=30).json()["label"][0])
