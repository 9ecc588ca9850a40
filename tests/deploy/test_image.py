"""The sensor's image with a real engine: the predecessors' options, and what is promised beyond them."""

from __future__ import annotations

import json
import socket
import struct
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from helpers.containers import ONLY_NET_RAW, START_SECONDS, UID, container, ready
from helpers.engine import ROOT, Engine
from helpers.models import typical_flow
from helpers.server import wait_until
from helpers.tools import free_port
from helpers.veth import wire_on_the_host
from inference_server.telemetry.resident import LOOK_SECONDS

pytestmark = pytest.mark.needs_engine

ATTACK = 17
MEGABYTE = 1_000_000
LARGEST = 950 * MEGABYTE
LARGEST_RESIDENT = 400 * MEGABYTE
DEMO = ROOT / "data" / "demo" / "demo.pcap"
STOP_SECONDS = 5
QUIET = ("-e", "START_CICFLOWMETER=false")
HARDENED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--cap-add", "NET_RAW")
OF_ITS_OWN = ("-v", "/app/logs", "-v", "/app/state", "--user", f"{UID}:{UID}")


def test_it_is_small(docker: Engine, image: str) -> None:
    assert int(docker.run("docker", "inspect", "--format", "{{.Size}}", image).stdout) < LARGEST


def test_the_sensors_command_on_the_hosts_network(docker: Engine, image: str, tmp_path: Path) -> None:
    logs, port = tmp_path / "logs", free_port()
    logs.mkdir()
    url = f"http://127.0.0.1:{port}"
    options = ("--network", "host", "--cap-add=NET_RAW", "--cap-add=NET_ADMIN", "-v", f"{logs}:/app/logs")
    settings = ("-e", f"PORT={port}", "-e", "CIC_INTERFACE=lo", "-e", "LOG_NEGATIVE_PREDICTIONS=true")
    with container(docker, image, *options, *settings) as running:
        wait_until(lambda: ready(url), seconds=START_SECONDS)
        health = httpx.get(f"{url}/health", timeout=60).json()
        assert [each["interface"] for each in health["capture"]["interfaces"]] == ["lo"]
        assert httpx.post(f"{url}/predict", json=typical_flow(ATTACK), timeout=60).json()["label"]
        wait_until(lambda: any(logs.glob("*_predictions.log")))
        status = running.status
        assert status["Uid"].split() == [str(UID)] * 4
        assert int(status["CapEff"], 16) == ONLY_NET_RAW
        assert {path.stat().st_uid for path in (logs, *logs.iterdir())} == {UID}
        assert listens_at(port) == "127.0.0.1"
        wait_until(lambda: running.inspect("{{.State.Health.Status}}") == "healthy", seconds=60)


def listens_at(port: int) -> str:
    """The address of this machine's socket that listens at a port, as /proc says."""
    (local,) = (
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    )
    return ".".join(str(byte) for byte in reversed(bytes.fromhex(local.partition(":")[0])))


def test_stopped_it_scores_the_flows_that_are_open_and_ends_in_time(
    docker: Engine, image: str, tmp_path: Path
) -> None:
    logs, port, nobody = tmp_path / "logs", free_port(), free_port()
    logs.mkdir()
    settings = ("-e", f"PORT={port}", "-e", "CIC_INTERFACE=lo", "-e", "LOG_NEGATIVE_PREDICTIONS=true")
    url = f"http://127.0.0.1:{port}"
    with container(docker, image, "--network", "host", "-v", f"{logs}:/app/logs", *settings) as running:
        wait_until(lambda: ready(url), seconds=START_SECONDS)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"open", ("127.0.0.1", nobody))
        wait_until(lambda: health(url)["capture"]["interfaces"][0]["counters"]["flows_live"])
        # An engine kills what has not ended by then, and the exit code says so.
        docker.run("docker", "stop", "--time", str(STOP_SECONDS), running.name)
        assert running.ended() == 0
        assert ": stopped" in running.logs()
    lines = [line for log in logs.glob("*_predictions.log") for line in log.read_text().splitlines()]
    assert nobody in {json.loads(line)["dst_port"] for line in lines}


@pytest.mark.slow
def test_a_published_port_wants_keys(docker: Engine, image: str) -> None:
    port = free_port()
    options = ("-p", f"127.0.0.1:{port}:5000", "-e", "PORT=5000", *QUIET)
    with container(docker, image, *options) as running:
        assert running.ended() == 1
        assert "set API_KEYS, or ALLOW_UNAUTHENTICATED=true" in running.logs()
    url = f"http://127.0.0.1:{port}"
    with container(docker, image, *options, "-e", "API_KEYS=a:predict:key-of-a-test"):
        wait_until(lambda: ready(url), seconds=START_SECONDS)
        assert httpx.post(f"{url}/predict", json=typical_flow(ATTACK), timeout=60).status_code == 401
        headers = {"X-API-Key": "key-of-a-test"}
        assert (
            httpx.post(f"{url}/predict", json=typical_flow(ATTACK), headers=headers, timeout=60).status_code
            == 200
        )
    with container(docker, image, *options, "-e", "ALLOW_UNAUTHENTICATED=true"):
        wait_until(lambda: ready(url), seconds=START_SECONDS)
        assert httpx.post(f"{url}/predict", json=typical_flow(ATTACK), timeout=60).status_code == 200


def test_hardened_on_a_fresh_volume_it_compiles_nothing(docker: Engine, image: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = ("-e", f"PORT={port}", "-e", "CIC_INTERFACE=lo", "-e", "NUMBA_DEBUG_CACHE=1")
    with container(docker, image, "--network", "host", *HARDENED, *OF_ITS_OWN, *settings) as running:
        wait_until(lambda: ready(url), seconds=START_SECONDS)
        answer = httpx.post(
            f"{url}/predict", json=[typical_flow(ATTACK)] * 300, params={"explain": "false"}, timeout=60
        )
        assert answer.status_code == 200
        assert (
            httpx.post(f"{url}/predict?explain=true", json=typical_flow(ATTACK), timeout=60).status_code
            == 200
        )
        told = running.logs()
        assert "data loaded from" in told
        assert "data saved to" not in told
        status = running.status
        assert status["Uid"].split() == [str(UID)] * 4
        assert int(status["CapEff"], 16) == ONLY_NET_RAW


@pytest.mark.slow
def test_without_a_cache_it_starts_and_says_so(docker: Engine, image: str) -> None:
    port = free_port()
    settings = ("-e", f"PORT={port}", "-e", "NUMBA_CACHE_DIR=/nowhere", *QUIET)
    with container(docker, image, "--network", "host", *HARDENED, *OF_ITS_OWN, *settings) as running:
        wait_until(lambda: ready(f"http://127.0.0.1:{port}"), seconds=START_SECONDS)
        assert "NUMBA_CACHE_DIR is not writable: kernels are compiled at every start" in running.logs()


def test_a_folder_of_somebody_else_is_named_with_the_fix(docker: Engine, image: str, tmp_path: Path) -> None:
    theirs = tmp_path / "logs"
    theirs.mkdir(mode=0o755)
    options = ("-v", f"{theirs}:/app/logs", "--user", f"{UID}:{UID}")
    with container(docker, image, *options) as running:
        assert running.ended() == 1
        (line,) = running.logs().splitlines()
        assert line.startswith(f"error: uid {UID} cannot write to /app/logs: on the host, chown -R {UID} ")


@pytest.mark.slow
def test_without_net_raw_it_starts_and_says_what_is_missing(docker: Engine, image: str) -> None:
    port = free_port()
    options = ("--network", "host", "--cap-drop", "NET_RAW", "-e", f"PORT={port}", "-e", "CIC_INTERFACE=lo")
    with container(docker, image, *options):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: "reasons" in health(url), seconds=120)
        wait_until(lambda: "--cap-add NET_RAW" in json.dumps(health(url)["reasons"]), seconds=60)


def health(url: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = httpx.get(f"{url}/health", timeout=5).json()
        return found
    except httpx.HTTPError:
        return {}


def test_its_command_is_ml_ids(docker: Engine, image: str) -> None:
    told = docker.run("docker", "run", "--rm", "--network", "host", image, "check-config").stdout
    assert "STATE_DIR" in told
    assert "/app/state" in told


@pytest.mark.slow
def test_with_fifty_thousand_open_flows_it_takes_less_than_400_megabytes(
    docker: Engine, image: str, tmp_path: Path
) -> None:
    port, flows = free_port(), 50_000
    url = f"http://127.0.0.1:{port}"
    write_questions(tmp_path / "open.pcap", flows)
    with wire_on_the_host() as wire:
        settings = (
            "-e",
            f"PORT={port}",
            "-e",
            f"CIC_INTERFACE={wire.sensor}",
            "-e",
            "CAPTURE_IDLE_SECONDS=120",
            "-e",
            "NUMBA_DEBUG_CACHE=1",
        )
        with container(docker, image, "--network", "host", *settings) as running:
            wait_until(lambda: ready(url), seconds=START_SECONDS)
            # Alerts with explanation and evidence come first, then as many bytes as evidence has room for.
            wire.replay(DEMO, faster=10)
            wait_until(lambda: health(url)["alerts"]["opened"])
            wire.replay(tmp_path / "open.pcap", faster=1)
            wait_until(lambda: health(url)["capture"]["interfaces"][0]["counters"]["flows_live"] >= flows)
            (interface,) = health(url)["capture"]["interfaces"]
            evidence = interface["evidence"]
            assert evidence["bytes"] > 0.99 * evidence["limit_bytes"]
            time.sleep(2 * LOOK_SECONDS)
            # All of it, as ps says.
            assert int(running.status["VmRSS"].split()[0]) * 1024 < LARGEST_RESIDENT
            # Alerts and their evidence compiled nothing either.
            assert "data saved to" not in running.logs()


def write_questions(path: Path, flows: int) -> None:
    """Write a capture of that many UDP packets, each from an address and port of its own, in five seconds."""
    frame = bytearray(bytes.fromhex("020000000002020000000001080045000278000000004011000000000000c6336401"))
    frame += bytes.fromhex("0000003502640000") + bytes(604)
    with path.open("wb") as capture:
        capture.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(flows):
            struct.pack_into(">I", frame, 26, 0xCB007100 + number % 250)
            struct.pack_into(">H", frame, 34, 1024 + number // 250)
            capture.write(
                struct.pack("<IIII", number // 10_000, number % 10_000 * 100, len(frame), len(frame))
            )
            capture.write(frame)
