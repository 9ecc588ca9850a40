"""`make run` and `make mlflow-ui` as a newcomer starts them, in a clone of what is committed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

from capture.interfaces import default_interface, may_capture

ROOT = Path(__file__).resolve().parents[1]
FIRST_START_SECONDS = 300
SECOND_START_SECONDS = 15
STOP_SECONDS = 5

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fresh") / "ml-ids"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(directory)], check=True)
    return directory


@contextmanager
def started(clone: Path, target: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a make target in a process group of its own and interrupt it at the end, as Ctrl-C would."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "NUMBA_"))}
    process = subprocess.Popen(
        ["make", target], cwd=clone, env=kept | variables, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)


def seconds_until_ok(url: str, process: subprocess.Popen[bytes], limit: float) -> float:
    start = time.monotonic()
    while time.monotonic() - start < limit:
        assert process.poll() is None, "it ended by itself"
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return time.monotonic() - start
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"{url} was not ready within {limit} s")


def attack_labels(clone: Path) -> set[str]:
    log = clone / "var" / "logs" / "positive_predictions.log"
    records = [orjson.loads(line) for line in log.read_bytes().splitlines()] if log.exists() else []
    return {record["label"] for record in records if record["sensor"] == "demo"}


@pytest.mark.parametrize("limit", [FIRST_START_SECONDS, SECOND_START_SECONDS])
def test_make_run_is_ready_in_time_and_has_logged_attacks(clone: Path, limit: float) -> None:
    variables = {"PORT": str(free_port())}
    if not (may_capture() and default_interface()):
        variables["START_CICFLOWMETER"] = "false"
    with started(clone, "run", **variables) as process:
        seconds_until_ok(f"http://127.0.0.1:{variables['PORT']}/ready", process, limit)
        deadline = time.monotonic() + 60
        while "SSH-Patator" not in attack_labels(clone):
            assert time.monotonic() < deadline, attack_labels(clone)
            time.sleep(0.2)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < STOP_SECONDS
    assert {"DoS Hulk", "FTP-Patator", "Portscan"} <= attack_labels(clone)


def test_mlflow_ui_shows_the_registry_of_the_running_service(clone: Path) -> None:
    variables = {"PORT": str(free_port()), "MLFLOW_UI_PORT": str(free_port()), "START_CICFLOWMETER": "false"}
    url = f"http://127.0.0.1:{variables['MLFLOW_UI_PORT']}"
    with (
        started(clone, "run", **variables) as service,
        started(clone, "mlflow-ui", **variables) as registry,
    ):
        seconds_until_ok(f"http://127.0.0.1:{variables['PORT']}/ready", service, 60)
        seconds_until_ok(f"{url}/health", registry, 60)
        alias = {"name": "ml-ids", "alias": "champion"}
        answer = httpx.get(f"{url}/api/2.0/mlflow/registered-models/alias", params=alias, timeout=30)
    assert answer.json()["model_version"]["version"] == "1"
