from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.moto import ACCOUNT, client
from helpers.sagemaker import DEMO, docker_that
from training.gradient_boost import TrainingParams
from training.sagemaker.images import push_image, train_in_image

THERE = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/ml-ids-train-sagemaker:1"


def test_an_image_is_pushed_to_the_accounts_registry(
    amazon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = docker_that("exit 0", tmp_path, monkeypatch)
    for _ in range(2):
        assert push_image(client(amazon, "ecr"), "ml-ids-train-sagemaker:1") == THERE
    calls = told.read_text().splitlines()[:3]
    assert calls == [
        f"login --username AWS --password-stdin {THERE.partition('/')[0]}",
        f"tag ml-ids-train-sagemaker:1 {THERE}",
        f"push {THERE}",
    ]


def test_what_docker_says_is_told(amazon: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_that("echo no such image >&2; [ $1 = login ]", tmp_path, monkeypatch)
    with pytest.raises(OSError, match="docker tag: no such image"):
        push_image(client(amazon, "ecr"), "ml-ids-train-sagemaker:1")


def test_a_container_finds_what_sagemaker_would_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = docker_that("exit 0", tmp_path, monkeypatch)
    folder = tmp_path / "job"
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "old").touch()
    model = train_in_image("image:1", folder, TrainingParams(task_type="GPU", tree_depth=4), [DEMO] * 3)
    assert told.read_text() == f"run --rm --volume {folder}:/opt/ml image:1 train\n"
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == [
        "input/config/hyperparameters.json",
        "input/data/testing/test.h5",
        "input/data/training/train.h5",
        "input/data/validation/val.h5",
    ]
    given = json.loads((folder / files[0]).read_text())
    assert (given["task_type"], given["tree_depth"], set(map(type, given.values()))) == ("CPU", "4", {str})
    assert model == folder / "model"


def test_a_training_that_failed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "job"
    docker_that(f"echo 'no attacks' > {folder}/output/failure; exit 255", tmp_path, monkeypatch)
    with pytest.raises(RuntimeError, match="no attacks"):
        train_in_image("image:1", folder, TrainingParams(), [DEMO] * 3)
    docker_that("exit 125", tmp_path, monkeypatch)
    with pytest.raises(OSError, match="docker run image:1 ended with 125"):
        train_in_image("image:1", folder, TrainingParams(), [DEMO] * 3)
