"""The sensor's image with a real engine: the predecessors' commands, and what is promised beyond them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from helpers.engine import Engine
from helpers.models import typical_flow
from helpers.server import wait_until
from helpers.tools import free_port

pytestmark = pytest.mark.slow

UID = 10001
ATTACK = 17
ONLY_NET_RAW = 1 << 13
MEGABYTE = 1_000_000
LARGEST = 950 * MEGABYTE
QUIET = ("-e", "START_CICFLOWMETER=false")
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--cap-add", "NET_RAW")


@dataclass(frozen=True)
class Container:
    """A container that runs, or did."""

    docker: Engine
    name: str

    def inspect(self, template: str) -> str:
        return self.docker.run("docker", "inspect", "--format", template, self.name).stdout.strip()

    def exec(self, *command: str) -> str:
        return self.docker.run("docker", "exec", self.name, *command).stdout

    def logs(self) -> str:
        told = self.docker.run("docker", "logs", self.name)
        return told.stdout + told.stderr

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        wait_until(lambda: self.inspect("{{.State.Running}}") == "false", seconds=120)
        return int(self.inspect("{{.State.ExitCode}}"))


@contextmanager
def container(
    docker: Engine, image: str, *options: str, command: tuple[str, ...] = ()
) -> Iterator[Container]:
    """Run the image with `docker run`'s options; removed afterwards, its volumes too."""
    name = f"ml-ids-test-{uuid.uuid4().hex[:8]}"
    docker.run("docker", "run", "--detach", "--name", name, *options, image)
    try:
        yield Container(docker, name)
    finally:
        docker.run("docker", "rm", "--force", "--volumes", name)


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def status_of(running: Container) -> dict[str, str]:
    """What the kernel says of the service's process."""
    lines = running.exec("cat", "/proc/1/status").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_it_is_small(docker: Engine, image: str) -> None:
    assert int(docker.run("docker", "inspect", "--format", "{{.Size}}", image).stdout) < LARGEST


def test_the_sensors_command_on_the_hosts_network(docker: Engine, image: str, tmp_path: Path) -> None:
    logs, port = tmp_path / "logs", free_port()
    logs.mkdir()
    url = f"http://127.0.0.1:{port}"
    options = ("--network", "host", "--cap-add=NET_RAW", "--cap-add=NET_ADMIN", "-v", f"{logs}:/app/logs")
    settings = ("-e", f"PORT={port}", "-e", "CIC_INTERFACE=lo", "-e", "LOG_NEGATIVE_PREDICTIONS=true")
    with container(docker, image, *options, *settings) as running:
        wait_until(lambda: ready(url), seconds=120)
        health = httpx.get(f"{url}/health").json()
        assert [each["interface"] for each in health["capture"]["interfaces"]] == ["lo"]
        assert httpx.post(f"{url}/predict", json=typical_flow(ATTACK)).json()["label"]
        wait_until(lambda: any(logs.glob("*_predictions.log")))
        status = status_of(running)
        assert status["Uid"].split() == [str(UID)] * 4
        assert int(status["CapEff"], 16) == ONLY_NET_RAW
        assert {path.stat().st_uid for path in (logs, *logs.iterdir())} == {UID}
        assert listens_at(port) == "127.0.0.1"
        wait_until(lambda: running.inspect("{{.State.Health.Status}}") == "healthy", seconds=60)
        docker.run("docker", "stop", "--time", "20", running.name)
        assert running.ended() == 0
        assert ": stopped" in running.logs()


def listens_at(port: int) -> str:
    """The address of this machine's socket that listens at a port, as /proc says."""
    (local,) = (
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    )
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(local.partition(":")[0])))


def test_a_published_port_wants_keys(docker: Engine, image: str) -> None:
    port = free_port()
    options = ("-p", f"127.0.0.1:{port}:5000", "-e", "PORT=5000", *QUIET)
    with container(docker, image, *options) as running:
        assert running.ended() == 1
        assert "set API_KEYS, or ALLOW_UNAUTHENTICATED=true" in running.logs()
    url = f"http://127.0.0.1:{port}"
    with container(docker, image, *options, "-e", "API_KEYS=a:predict:key-of-a-test"):
        wait_until(lambda: ready(url), seconds=120)
        assert httpx.post(f"{url}/predict", json=typical_flow(ATTACK)).status_code == 401
        headers = {"X-API-Key": "key-of-a-test"}
        assert httpx.post(f"{url}/predict", json=typical_flow(ATTACK), headers=headers).status_code == 200
    with container(docker, image, *options, "-e", "ALLOW_UNAUTHENTICATED=true"):
        wait_until(lambda: ready(url), seconds=120)
        assert httpx.post(f"{url}/predict", json=typical_flow(ATTACK)).status_code == 200


def test_hardened_on_a_fresh_volume_it_compiles_nothing(docker: Engine, image: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    volumes = ("-v", "/app/logs", "-v", "/app/state", "--user", f"{UID}:{UID}")
    settings = ("-e", f"PORT={port}", "-e", "CIC_INTERFACE=lo", "-e", "NUMBA_DEBUG_CACHE=1")
    with container(docker, image, "--network", "host", *HARDENED, *volumes, *settings) as running:
        wait_until(lambda: ready(url), seconds=120)
        answer = httpx.post(f"{url}/predict", json=[typical_flow(ATTACK)] * 300, params={"explain": "false"})
        assert answer.status_code == 200
        assert httpx.post(f"{url}/predict?explain=true", json=typical_flow(ATTACK)).status_code == 200
        told = running.logs()
        assert "data loaded from" in told
        assert "data saved to" not in told
        status = status_of(running)
        assert status["Uid"].split() == [str(UID)] * 4
        assert int(status["CapEff"], 16) == ONLY_NET_RAW


def test_without_a_cache_it_starts_and_says_so(docker: Engine, image: str) -> None:
    port = free_port()
    settings = ("-e", f"PORT={port}", "-e", "NUMBA_CACHE_DIR=/nowhere", *QUIET)
    volumes = ("-v", "/app/logs", "-v", "/app/state", "--user", f"{UID}:{UID}")
    with container(docker, image, "--network", "host", *HARDENED, *volumes, *settings) as running:
        wait_until(lambda: ready(f"http://127.0.0.1:{port}"), seconds=300)
        assert "NUMBA_CACHE_DIR is not writable: kernels are compiled at every start" in running.logs()


def test_a_folder_of_somebody_else_is_named_with_the_fix(docker: Engine, image: str, tmp_path: Path) -> None:
    theirs = tmp_path / "logs"
    theirs.mkdir(mode=0o755)
    options = ("-v", f"{theirs}:/app/logs", "--user", f"{UID}:{UID}")
    with container(docker, image, *options) as running:
        assert running.ended() == 1
        (line,) = running.logs().splitlines()
        assert line.startswith(f"error: uid {UID} cannot write to /app/logs: on the host, chown -R {UID} ")


def test_without_net_raw_it_starts_and_says_what_is_missing(docker: Engine, image: str) -> None:
    port = free_port()
    options = ("--network", "host", "--cap-drop", "NET_RAW", "-e", f"PORT={port}", "-e", "CIC_INTERFACE=lo")
    with container(docker, image, *options):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: "reasons" in health(url), seconds=120)
        wait_until(lambda: "--cap-add NET_RAW" in json.dumps(health(url)["reasons"]), seconds=60)


def health(url: str) -> dict[str, list[str]]:
    try:
        found: dict[str, list[str]] = httpx.get(f"{url}/health", timeout=5).json()
        return found
    except httpx.HTTPError:
        return {}


def test_its_command_is_ml_ids(docker: Engine, image: str) -> None:
    told = docker.run("docker", "run", "--rm", "--network", "host", image, "check-config").stdout
    assert "STATE_DIR" in told
    assert "/app/state" in told
