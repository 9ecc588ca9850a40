"""The image that SageMaker trains and serves with, run as it does."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from helpers.containers import START_SECONDS, container
from helpers.engine import Engine
from helpers.models import typical_flow
from helpers.sagemaker import QUICK, laid_out
from helpers.server import wait_until
from helpers.tools import free_port

pytestmark = [pytest.mark.needs_engine, pytest.mark.slow]
SPLIT = {"Content-Type": "application/json; format=pandas-split"}


@pytest.fixture(scope="module")
def sagemaker_image(docker: Engine) -> str:
    return docker.build("ml-ids-train-sagemaker:test", "deploy/docker/sagemaker.Dockerfile")


@pytest.fixture(scope="module")
def trained(docker: Engine, sagemaker_image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mounted folder after `train`."""
    prefix = laid_out(tmp_path_factory.mktemp("ml"), QUICK)
    with container(docker, sagemaker_image, "-v", f"{prefix}:/opt/ml", command=("train",)) as training:
        assert training.ended() == 0, training.logs()
        for name in ("pr_auc", "precision", "recall", "f1"):
            assert f"\n{name}: " in training.logs()
    return prefix


def test_train_leaves_a_model(trained: Path) -> None:
    assert (trained / "model" / "package" / "manifest.json").is_file()
    assert (trained / "model" / "ml-ids-gb_mlflow_pyfunc" / "MLmodel").is_file()
    assert not (trained / "output" / "failure").exists()


def test_a_failure_is_told_and_exits_with_255(docker: Engine, sagemaker_image: str, tmp_path: Path) -> None:
    prefix = laid_out(tmp_path, QUICK)
    (prefix / "input" / "data" / "training" / "train.h5").unlink()
    with container(docker, sagemaker_image, "-v", f"{prefix}:/opt/ml", command=("train",)) as training:
        assert training.ended() == 255
    assert "give the channel training that file" in (prefix / "output" / "failure").read_text()


def test_serve_answers_on_port_8080(docker: Engine, sagemaker_image: str, trained: Path) -> None:
    port = free_port()
    options = ("-p", f"127.0.0.1:{port}:8080", "-v", f"{trained / 'model'}:/opt/ml/model:ro")
    with (
        container(docker, sagemaker_image, *options, command=("serve",)) as serving,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        wait_until(lambda: pinged(client), seconds=START_SECONDS)
        rows = [typical_flow(5), typical_flow(0)]
        body = {"columns": [*rows[0]], "data": [[*row.values()] for row in rows]}
        answered = client.post("/invocations", json=body, headers=SPLIT).json()
        assert client.get("/health").json()["model"]["name"] == "sagemaker"
        assert serving.exec("id", "-u").strip() == "0"
    assert len(answered) == 2
    assert set(answered) <= {0.0, 1.0}


def pinged(client: httpx.Client) -> bool:
    try:
        return client.get("/ping").status_code == 200
    except httpx.HTTPError:
        return False


def test_the_sensors_image_holds_nothing_of_training(docker: Engine, image: str) -> None:
    wanted = "('sklearn', 'catboost', 'optuna', 'tables')"
    missing = f"import importlib.util as u; print([name for name in {wanted} if u.find_spec(name)])"
    told = docker.run("docker", "run", "--rm", "--entrypoint", "/opt/ml-ids/bin/python", image, "-c", missing)
    assert told.stdout.strip() == "[]"
