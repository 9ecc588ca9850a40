"""A sensor's environment: what its extra asks for, none of what trains."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import orjson
import pytest

from helpers.command import running
from helpers.server import wait_until

ROOT = Path(__file__).resolve().parents[1]
RESTART_SECONDS = 15
ONLY_TRAINING = {"mlflow", "pandas", "scikit-learn", "skops", "catboost", "tables", "flask", "matplotlib"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment with the pinned dependencies of the sensor."""
    folder = tmp_path_factory.mktemp("base")
    pins = re.findall(r"^([a-z0-9-]+)(?:\[.*\])?(==[^\\\n]*)", (ROOT / "requirements.txt").read_text(), re.M)
    (folder / "pins.txt").write_text("".join(f"{name}{rest.strip()}\n" for name, rest in pins))
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    pip = [folder / "venv" / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    command = [*pip, "install", "--constraint", folder / "pins.txt", "--editable", f"{ROOT}[sensor]"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"the environment cannot be made: {made.stderr.strip().splitlines()[-1]}")
    return folder / "venv" / "bin"


def test_nothing_that_only_training_needs_is_installed(environment: Path) -> None:
    listed = subprocess.run(
        [environment / "python", "-m", "pip", "list", "--format", "json"], check=True, capture_output=True
    )
    names = {package["name"].lower() for package in orjson.loads(listed.stdout)}
    assert "mlflow-skinny" in names
    assert names & ONLY_TRAINING == set()


def test_the_service_starts_scores_and_restarts_from_the_cache(environment: Path, tmp_path: Path) -> None:
    flow = (ROOT / "data" / "demo" / "flow.json").read_bytes()
    command = [str(environment / "ml-ids"), "serve", "--port", "0"]
    variables = {"START_CICFLOWMETER": "false", "DEMO": "0", "PYTHONPATH": ""}
    with running(command, tmp_path, **variables) as service:
        wait_until(service.ready, seconds=300)
        first = httpx.post(f"{service.url}/predict", content=flow, timeout=60)
        wait_until((tmp_path / "var" / "model-cache" / "current.json").exists)
    (tmp_path / "var" / "mlflow.db").rename(tmp_path / "gone.db")
    (tmp_path / "var" / "mlflow.db").write_text("no database, but text")
    began = time.monotonic()
    with running(command, tmp_path, **variables) as service:
        wait_until(service.ready)
        assert time.monotonic() - began < RESTART_SECONDS
        again = httpx.post(f"{service.url}/predict", content=flow, timeout=60)
        wait_until(lambda: "from the cache" in httpx.get(f"{service.url}/health").text)
    assert first.status_code == again.status_code == 200
    assert first.json()["probability"] == again.json()["probability"]


def test_a_capture_is_scored(environment: Path, tmp_path: Path) -> None:
    capture = ROOT / "data" / "demo" / "demo.pcap"
    subprocess.run(
        [environment / "ml-ids", "score", capture, "-o", tmp_path / "verdicts.csv"],
        env={"STATE_DIR": str(tmp_path / "var"), "HOME": str(tmp_path), "PATH": ""},
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    assert len((tmp_path / "verdicts.csv").read_text().splitlines()) > 100
