"""`ml-ids sagemaker`, docs/sagemaker.md typed as it stands, and a container's commands without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from helpers.command import running
from helpers.models import typical_flow
from helpers.moto import ACCOUNT, client, moto_server
from helpers.sagemaker import DEMO, QUICK, docker_that, laid_out
from helpers.server import wait_until
from inference_server.cli import app

ROOT = Path(__file__).resolve().parents[3]
NEEDED = ("Makefile", "Dockerfile", "deploy", "models", "requirements.txt", "pyproject.toml")
IMAGE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/ml-ids-train-sagemaker:1"


def commands() -> str:
    found = re.search(r"```bash\n(.*?)```", (ROOT / "docs" / "sagemaker.md").read_text(), re.DOTALL)
    assert found
    return found[1]


def checkout(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What make needs of this checkout; a `make` that takes this environment for installed."""
    folder.mkdir()
    for name in NEEDED:
        (folder / name).symlink_to(ROOT / name)
    make = folder / "bin" / "make"
    make.parent.mkdir()
    make.write_text(f'#!/bin/sh\nexec /usr/bin/make -o setup BIN={Path(sys.executable).parent} "$@"\n')
    make.chmod(0o755)
    monkeypatch.setenv("PATH", f"{make.parent}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.mark.slow
def test_the_documents_commands_in_their_order(
    pytestconfig: pytest.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = docker_that("exit 0", tmp_path, monkeypatch)
    folder = checkout(tmp_path / "checkout", monkeypatch)
    with moto_server(pytestconfig, tmp_path) as url:
        amazon = {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "moto", "AWS_SECRET_ACCESS_KEY": "moto"}
        data = dict.fromkeys(("TRAIN_PATH", "VAL_PATH", "TEST_PATH"), str(DEMO))
        variables = os.environ | amazon | data | {"PYTHONPATH": str(ROOT / "src")}
        ran = subprocess.run(
            ["bash", "-ec", commands()],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        job = client(url, "sagemaker").describe_training_job(TrainingJobName="ml-ids-1")
        assert client(url, "sagemaker").list_endpoints()["Endpoints"] == []
    assert (folder / "sagemaker-image-name.txt").read_text() == f"{IMAGE}\n"
    assert job["AlgorithmSpecification"]["TrainingImage"] == IMAGE
    assert "AWS_SAGEMAKER_ENDPOINT=/endpoints/ml-ids-classifier/invocations" in ran.stdout
    assert ran.stdout.splitlines()[-1] == "ml-ids-classifier is removed"
    calls = [line.split()[0] for line in told.read_text().splitlines()]
    assert calls == ["build", "run", "login", "tag", "push"]
    assert told.read_text().startswith("build --file deploy/docker/sagemaker.Dockerfile --tag ml-ids-train")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["deploy"], "name the job: make ... JOB_ID=ID, or the tag that trained it, DEPLOY_REF="),
        (["deploy", "--ref", "refs/heads/main"], "'refs/heads/main' is no tag of a model"),
        (["train-aws", "--image", "x", "--job-id", "a b"], "JOB_ID 'a b': must be at most 63 letters"),
        (["deploy", "--job-id", "a", "--config", "none.json"], "none.json: No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_line(arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, ["sagemaker", *arguments])
    assert result.exit_code == 1
    assert words in " ".join(result.stderr.split())


def test_what_a_container_trains_a_container_serves(tmp_path: Path) -> None:
    pytest.importorskip("catboost", reason="CatBoost, an extra, is not installed")
    prefix = laid_out(tmp_path / "ml", QUICK)
    assert CliRunner().invoke(app, ["sagemaker", "train", "--prefix", str(prefix)]).exit_code == 0
    command = ["ml-ids", "sagemaker", "serve", "--prefix", str(prefix)]
    with (
        running(command, tmp_path, HOST="127.0.0.1", PORT="0") as started,
        httpx.Client(base_url=started.url, timeout=60) as served,
    ):
        wait_until(lambda: served.get("/ping").status_code == 200)
        row = typical_flow(5)
        split = {"columns": [*row], "data": [[*row.values()], [*typical_flow(0).values()]]}
        kind = {"Content-Type": "application/json; format=pandas-split"}
        answered = served.post("/invocations", json=split, headers=kind)
        codes = served.post("/invocations", json={"dataframe_split": split}).json()["predictions"]
        health = served.get("/health").json()
    assert answered.status_code == 200
    assert answered.json() == [float(code == 35) for code in codes]
    assert health["model"]["name"] == "sagemaker"
    assert health["capture"]["enabled"] is False


def test_a_failed_training_exits_with_255(tmp_path: Path) -> None:
    prefix = laid_out(tmp_path / "ml", {"nr_iterations": "many"})
    result = CliRunner().invoke(app, ["sagemaker", "train", "--prefix", str(prefix)])
    assert result.exit_code == 255
    assert "nr_iterations" in (prefix / "output" / "failure").read_text()


def test_what_is_no_model_is_not_served(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pkl").touch()
    result = CliRunner().invoke(app, ["sagemaker", "serve", "--prefix", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds no package of a model" in " ".join(result.stderr.split())
