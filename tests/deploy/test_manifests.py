"""The manifests of Kubernetes and ECS against their schemas."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.session import get_session
from botocore.validate import ParamValidator

from helpers.tools import installed_tool

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TASK = json.loads((DEPLOY / "ecs" / "task-definition.json").read_text())
SECRET = ("KEY", "SECRET", "PASSWORD", "TOKEN")


def kustomized() -> list[dict[str, Any]]:
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl")
    command = ["kubectl", "kustomize", str(DEPLOY / "kubernetes")]
    return list(yaml.safe_load_all(subprocess.run(command, capture_output=True, check=True).stdout))


def pods() -> dict[str, dict[str, Any]]:
    return {
        each["kind"]: each["spec"]["template"]["spec"]
        for each in kustomized()
        if "template" in each.get("spec", {})
    }


def test_kubernetes_accepts_every_manifest(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(kustomized()))
    program = installed_tool(pytestconfig, "kubernetes-validate==1.37.0", "kubernetes-validate")
    told = subprocess.run([program, "--strict", tmp_path / "all.yaml"], capture_output=True, text=True)
    assert told.returncode == 0, told.stdout + told.stderr


def test_containers_are_as_narrow_as_their_work() -> None:
    wanted = {"DaemonSet": {"drop": ["ALL"], "add": ["NET_RAW"]}, "Deployment": {"drop": ["ALL"]}}
    found = {kind: pod["containers"][0]["securityContext"] for kind, pod in pods().items()}
    assert {kind: context["capabilities"] for kind, context in found.items()} == wanted
    assert all(context["readOnlyRootFilesystem"] for context in found.values())


def test_the_budget_and_the_service_find_the_scoring_pods() -> None:
    found = {each["kind"]: each["spec"] for each in kustomized() if each["metadata"]["name"] == "scoring"}
    labels = found["Deployment"]["template"]["metadata"]["labels"]
    assert found["PodDisruptionBudget"]["selector"]["matchLabels"] == labels
    assert found["Service"]["selector"] == labels


def test_ecs_accepts_the_task() -> None:
    operation = get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition")
    report = ParamValidator().validate(TASK, operation.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_the_task_has_a_role_and_a_health_check_and_no_key() -> None:
    (container,) = TASK["containerDefinitions"]
    assert TASK["taskRoleArn"]
    assert container["healthCheck"]["command"][0] == "CMD"
    assert not [each for each in container["environment"] if any(word in each["name"] for word in SECRET)]
    assert {"AWS_ACCESS_KEY", "AWS_SECRET_KEY"}.isdisjoint(each["name"] for each in container["secrets"])
