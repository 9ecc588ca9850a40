"""Scoring on two nodes, with captures and results on S3."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from detection.registry import STARTER
from helpers.bulk import capture_bytes, packed, s3_environment, talk_to
from helpers.mlflow_server import s3_server
from helpers.ray_cluster import RayCluster, ray_cluster
from helpers.server import wait_until
from inference_server.bulk.captures import find_captures
from inference_server.bulk.engines import Work, score_here

ML_IDS = Path(sys.executable).parent / "ml-ids"
SECONDS = 400


@pytest.fixture
def captures(tmp_path: Path) -> Path:
    """The folder that is the bucket `pcaps`."""
    return tmp_path / "buckets" / "pcaps"


@pytest.fixture
def cluster(
    pytestconfig: pytest.Config, tmp_path: Path, captures: Path
) -> Iterator[tuple[RayCluster, dict[str, str]]]:
    """A cluster of two nodes, and the environment of commands that use it and an S3 store."""
    with s3_server(pytestconfig, captures.parent, "pcaps", "scored") as url:
        environment = s3_environment(url)
        with ray_cluster(**environment) as running:
            yield running, os.environ | running.environment | {"STATE_DIR": str(tmp_path / "var")}


def started(environment: dict[str, str], output: str, *options: str) -> subprocess.Popen[str]:
    command = [ML_IDS, "score", "s3://pcaps/*.pcap", "-o", output, *options]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(command: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        output, told = command.communicate(timeout=SECONDS)
    finally:
        command.kill()
    return command.returncode, output, told


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*.parquet")}


def test_two_nodes_give_the_bytes_of_one_process(
    cluster: tuple[RayCluster, dict[str, str]], captures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = cluster[1]
    for number in range(6):
        (captures / f"{number}.pcap").write_bytes(capture_bytes(number))
    (captures / "bad.pcap").write_bytes(b"junk")
    code, output, told = ended(started(environment, "s3://scored/ray/", "--engine", "ray"))
    assert code == 1
    assert "6 captures scored, 1 failed" in output
    talk_to(monkeypatch, environment["AWS_ENDPOINT_URL_S3"])
    found = tuple(find_captures(["s3://pcaps/*.pcap"]))
    here = list(score_here(Work(found, packed(STARTER), "s3://scored/here/")))
    assert told.splitlines() == [f"error: {each.problem}" for each in here if each.problem]
    assert "error: s3://pcaps/bad.pcap: not a pcap" in told
    scored = captures.parent / "scored"
    assert len(contents(scored / "ray")) == 6
    assert contents(scored / "ray") == contents(scored / "here")
    assert len(Work(found, packed(STARTER), "s3://scored/ray/").done_before()) == 6


@pytest.mark.slow
def test_a_node_killed_in_the_middle_loses_nothing(
    cluster: tuple[RayCluster, dict[str, str]], captures: Path
) -> None:
    running, environment = cluster
    demo = (Path(__file__).resolve().parents[3] / "data" / "demo" / "demo.pcap").read_bytes()
    for number in range(200):
        (captures / f"{number}.pcap").write_bytes(demo)
    scored, second = captures.parent / "scored", running.nodes[1]
    on_ray = started(environment, "s3://scored/ray/", "--engine", "ray")
    wait_until(
        lambda: (
            on_ray.poll() is not None or (len(contents(scored / "ray")) > 20 and second.busy("Map(_scored)"))
        ),
        seconds=SECONDS,
    )
    second.kill()
    assert len(contents(scored / "ray")) < 200
    code, output, told = ended(on_ray)
    assert (code, told) == (0, "")
    assert "200 captures scored" in output
    assert ended(started(environment, "s3://scored/here/"))[0] == 0
    assert contents(scored / "ray") == contents(scored / "here")


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(capture_bytes())
    environment = os.environ | {"STATE_DIR": str(tmp_path / "var"), "RAY_ADDRESS": "nonsense"}
    command = [ML_IDS, "score", str(tmp_path / "a.pcap"), "-o", f"{tmp_path}/out/", "--engine", "ray"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode == 1
    assert "error: RAY_ADDRESS=nonsense: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
