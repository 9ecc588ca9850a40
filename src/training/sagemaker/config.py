"""The files of deploy/sagemaker, in the shape of cstub/ml-ids's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from flows.yaml_files import read_yaml

MAX_RUN_SECONDS: Final = 2 * 60 * 60
JOB_PREFIX: Final = "ml-ids-sagemaker-"
_TAG_REF: Final = "refs/tags/"
_JOB: Final = re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}")

Bucket = Annotated[str, Field(pattern=r"^s3://[^/]+(/.*)?$")]
Role = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Training(_Part):
    """The machine of a training job, how many of it, and what CatBoost is to use on it."""

    instance_type: str
    instance_count: int = Field(1, ge=1)
    task_type: Literal["CPU", "GPU"] = "CPU"
    volume_gb: int = Field(30, ge=1)
    max_run_seconds: int = Field(MAX_RUN_SECONDS, ge=1)


class Data(_Part):
    """The folders of train.h5, val.h5 and test.h5."""

    train: Bucket
    val: Bucket
    test: Bucket


class TrainConfig(_Part):
    """A training job: train-cpu.json, train-gpu.json."""

    train: Training
    role: Role
    data: Data
    model_bucket: Bucket
    region: Region = "eu-west-1"


class Deployment(_Part):
    """An endpoint: its name, and its machines."""

    app_name: str = Field(pattern=r"^[A-Za-z0-9](-*[A-Za-z0-9]){0,39}$")
    instance_type: str
    instance_count: int = Field(1, ge=1)
    region: Region = "eu-west-1"


class DeployConfig(_Part):
    """What is deployed where: deploy.json; `model_name` is the archive's folder for MLflow's tools."""

    deploy: Deployment
    role: Role
    model_bucket: Bucket
    model_artifact: str = "model.tar.gz"
    model_name: str = ""

    def model_url(self, job_id: str) -> str:
        """Return where a job left its model."""
        return f"{self.model_bucket.rstrip('/')}/{job_id}/output/{self.model_artifact}"


def read_train_config(path: Path) -> TrainConfig:
    """Read train-*.json, or the same as YAML.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else; names the field.
    """
    return read_yaml(path, TrainConfig)


def read_deploy_config(path: Path) -> DeployConfig:
    """Read deploy.json, or the same as YAML.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else; names the field.
    """
    return read_yaml(path, DeployConfig)


def job_of_ref(ref: str) -> str:
    """Return the id of the job that a tag trains: of refs/tags/m1.0, or m1.0, ml-ids-sagemaker-m1-0.

    SageMaker takes letters, digits and dashes.

    Raises:
        ValueError: it is no tag of a model.
    """
    tag = ref.removeprefix(_TAG_REF)
    # A branch such as main is none: only a full ref may be any tag that begins with m.
    if "/" in tag or not re.match("m" if tag != ref else r"m\d", tag):
        raise ValueError(f"{ref!r} is no tag of a model, such as refs/tags/m1.0")
    return checked_job(JOB_PREFIX + re.sub(r"[^A-Za-z0-9]+", "-", tag).strip("-"))


def checked_job(job_id: str) -> str:
    """Return the id of a job.

    Raises:
        ValueError: SageMaker would not take it.
    """
    if not _JOB.fullmatch(job_id):
        raise ValueError(f"JOB_ID {job_id!r}: must be at most 63 letters, digits, and dashes between them")
    return job_id
