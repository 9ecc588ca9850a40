"""README's section on containers, typed line by line in a fresh clone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from helpers.containers import START_SECONDS, Project, clone, ready
from helpers.engine import ROOT, Engine
from helpers.server import wait_until

pytestmark = [pytest.mark.needs_engine, pytest.mark.slow]

API = "http://127.0.0.1:8000"


def blocks() -> list[str]:
    """The section's blocks of commands."""
    section = (ROOT / "README.md").read_text().split("## In a container")[1].split("\n## ")[0]
    return re.findall(r"```bash\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def project(docker: Engine, tmp_path: Path) -> Project:
    return clone(docker, tmp_path / "ml-ids-readme")


@pytest.fixture
def logs(docker: Engine, tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "logs"
    docker.run("docker", "rm", "--force", "--volumes", "ml-ids", check=False)


def typed(project: Project, block: str, logs: Path) -> str:
    lines = block.replace("/var/log/ml-ids", str(logs))
    return project.docker.run("bash", "-ec", lines, cwd=project.folder).stdout


def test_docker(project: Project, logs: Path) -> None:
    typed(project, blocks()[0], logs)
    wait_until(lambda: ready(API), seconds=START_SECONDS)
    assert (logs / "application.log").exists()


def test_docker_compose(project: Project, logs: Path) -> None:
    start, look, attacks = blocks()[1].splitlines()
    try:
        typed(project, start, logs)
        wait_until(lambda: ready(API), seconds=START_SECONDS)
        assert "champion: models:/ml-ids/1" in typed(project, look, logs)
        body = (ROOT / "data" / "demo" / "flow.json").read_bytes()
        assert httpx.post(f"{API}/predict", content=body, timeout=60).json()["label"] == ["DoS Hulk"]
        # It follows the file until it is interrupted, on a terminal that there is none of here.
        followed = f"timeout 20 {attacks.replace('exec', 'exec -T')} | head -1"
        assert "DoS Hulk" in project.docker.run("bash", "-c", followed, cwd=project.folder).stdout
    finally:
        project.compose("down", "--volumes")
