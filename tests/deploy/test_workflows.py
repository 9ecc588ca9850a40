""".github/workflows: GitHub reads them, and they do what people and Jenkins do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.tools import installed_tool

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").glob("*.yml")}
TARGETS = set(re.findall(r"^([a-z_-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def called(text: str) -> list[str]:
    return re.findall(r"\bmake ([a-z_-]+)", text)


def started_by(name: str) -> Any:
    # YAML 1.1 reads the key `on` as true.
    return yaml.safe_load(WORKFLOWS[name].read_text())[True]


@pytest.mark.parametrize("path", WORKFLOWS.values(), ids=WORKFLOWS)
def test_github_reads_it(pytestconfig: pytest.Config, path: Path) -> None:
    program = installed_tool(pytestconfig, "check-jsonschema==0.39.0", "check-jsonschema")
    command = [program, "--builtin-schema", "vendor.github-workflows", path]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout


@pytest.mark.parametrize("path", WORKFLOWS.values(), ids=WORKFLOWS)
def test_it_calls_targets_that_are_there_and_holds_no_secret(path: Path) -> None:
    text = path.read_text()
    assert called(text)
    assert set(called(text)) <= TARGETS
    assert not re.search(r"(?i)(password|(?<!id-)token|secret|key): [\"']?(?!\$\{\{)\w", text)


def test_each_starts_when_it_should() -> None:
    assert WORKFLOWS.keys() == {"build", "train", "deployment"}
    assert "push" in started_by("build")
    assert started_by("train") == {"push": {"tags": ["m*"]}}
    assert started_by("deployment") == "deployment"
    assert "ref: ${{ github.event.deployment.ref }}" in WORKFLOWS["deployment"].read_text()


def test_build_does_what_jenkins_does_before_it_pushes() -> None:
    stages = {name for name in called((ROOT / "Jenkinsfile").read_text()) if not name.startswith("sagemaker")}
    assert set(called(WORKFLOWS["build"].read_text())) == stages - {"push", "deploy"}
    assert {"push", "deploy"} <= set(called(WORKFLOWS["deployment"].read_text()))


def test_a_tag_trains_its_job_on_sagemaker_and_a_deployment_of_it_serves_it() -> None:
    train = ["sagemaker_build_image", "sagemaker_push_image", "sagemaker_train_aws"]
    jobs = {
        name: yaml.safe_load(path.read_text())["jobs"].get("sagemaker") for name, path in WORKFLOWS.items()
    }
    assert called(str(jobs["train"])) == train
    assert jobs["train"]["env"]["DEPLOY_REF"] == "${{ github.ref }}"
    assert called(str(jobs["deployment"])) == ["sagemaker_deploy"]
    assert "refs/tags/m" in jobs["deployment"]["if"]
    assert called((ROOT / "Jenkinsfile").read_text())[-5:-1] == [*train, "sagemaker_deploy"]


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        (("TAG=1", "SAGEMAKER_IMAGE_NAME=x", "JOB_ID=j"), "--job-id 'j'"),
        (("TAG=1", "SAGEMAKER_IMAGE_NAME=x", "DEPLOY_REF=refs/tags/m1.0"), "--ref 'refs/tags/m1.0'"),
    ],
)
@pytest.mark.parametrize("target", ["sagemaker_train_aws", "sagemaker_deploy"])
def test_a_job_is_named_by_its_id_or_its_tag(target: str, variables: tuple[str, ...], arguments: str) -> None:
    command = ["make", "--dry-run", "-o", "setup", target, *variables]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert arguments in told.stdout
