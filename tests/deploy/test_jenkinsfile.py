"""Jenkinsfile: its syntax, and that it does what people run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JENKINSFILE = (ROOT / "Jenkinsfile").read_text()
LINTER = "npm-groovy-lint@15.2.2"


def test_every_target_it_calls_is_there() -> None:
    called = set(re.findall(r"\bmake ([a-z_-]+)", JENKINSFILE))
    targets = set(re.findall(r"^([a-z_-]+):", (ROOT / "Makefile").read_text(), re.M))
    sagemaker = {"sagemaker_build_image", "sagemaker_push_image", "sagemaker_train_aws", "sagemaker_deploy"}
    assert {"lint", "test", "image", "test-deploy", "audit", "sbom", "push", "deploy"} | sagemaker == called
    assert called <= targets


def test_credentials_are_named_by_id_alone() -> None:
    assert re.findall(r"credentialsId: '([a-z-]+)'|credentials: \['([a-z-]+)'\]", JENKINSFILE)
    assert not re.search(r"(?i)(password|token|secret)\s*=\s*['\"]", JENKINSFILE)


@pytest.mark.slow
def test_it_can_be_parsed(tmp_path: Path) -> None:
    if not shutil.which("npm") or not shutil.which("java"):
        pytest.skip("needs npm and java")
    got = subprocess.run(
        ["npm", "install", "--silent", LINTER], cwd=tmp_path, capture_output=True, check=False
    )
    if got.returncode:
        pytest.skip(f"{LINTER} cannot be had")
    command = ["npx", "npm-groovy-lint", "--noserver", "--failon", "error", str(ROOT / "Jenkinsfile")]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout
