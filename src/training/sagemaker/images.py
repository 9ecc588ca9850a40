"""Images: to Amazon's registry, and run here as SageMaker runs them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.sagemaker.folders import FAILED, Folders

if TYPE_CHECKING:
    from training.gradient_boost import TrainingParams


def push_image(client: Any, image: str) -> str:
    """Push NAME:TAG to the registry of the account, whose repository NAME is made; return its name there.

    Args:
        client: boto3's, of ecr.
        image: of the local engine.

    Raises:
        OSError: docker is not there, or failed.
        botocore.exceptions.ClientError: Amazon refuses.
    """
    repository, _, tag = image.rpartition(":")
    try:
        found = client.describe_repositories(repositoryNames=[repository])["repositories"][0]
    except client.exceptions.RepositoryNotFoundException:
        found = client.create_repository(repositoryName=repository)["repository"]
    name = f"{found['repositoryUri']}:{tag}"
    access = client.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(access["authorizationToken"]).decode().partition(":")
    registry = found["repositoryUri"].partition("/")[0]
    _docker("login", "--username", user, "--password-stdin", registry, given=password)
    _docker("tag", image, name)
    _docker("push", name)
    return name


def train_in_image(image: str, folder: Path, params: TrainingParams, data: Sequence[Path]) -> Path:
    """Train in a container of this machine, laid out as SageMaker does; return the folder of the model.

    Args:
        image: the training image.
        folder: becomes the container's /opt/ml, in place of what an earlier training left.
        params: hyperparameters; CatBoost uses the processor whatever they say.
        data: train.h5, val.h5 and test.h5.

    Raises:
        OSError: a file, or docker, is not there.
        RuntimeError: the training failed; says why.
    """
    folders = Folders(folder.resolve())
    shutil.rmtree(folder, ignore_errors=True)
    for file, channel, name in zip(
        data, ("training", "validation", "testing"), ("train", "val", "test"), strict=True
    ):
        place = folders.prefix / "input" / "data" / channel
        place.mkdir(parents=True)
        shutil.copy(file, place / f"{name}.h5")
    folders.hyperparameters.parent.mkdir()
    given = params.model_dump() | {"task_type": "CPU"}
    folders.hyperparameters.write_text(json.dumps({name: str(value) for name, value in given.items()}))
    for made in (folders.model, folders.failure.parent):
        made.mkdir()
    ended = subprocess.run(
        ["docker", "run", "--rm", "--volume", f"{folders.prefix}:/opt/ml", image, "train"], check=False
    )
    if ended.returncode == FAILED and folders.failure.exists():
        raise RuntimeError(folders.failure.read_text(encoding="utf-8").splitlines()[0])
    if ended.returncode:
        raise OSError(f"docker run {image} ended with {ended.returncode}")
    return folders.model


def _docker(*arguments: str, given: str | None = None) -> None:
    ended = subprocess.run(["docker", *arguments], input=given, text=True, capture_output=True, check=False)
    if ended.returncode:
        reason = " ".join(ended.stderr.split()) or f"ended with {ended.returncode}"
        raise OSError(f"docker {arguments[0]}: {reason}")
