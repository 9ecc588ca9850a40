from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.sagemaker.config import checked_job, job_of_ref, read_deploy_config, read_train_config

FOLDER = Path(__file__).parents[3] / "deploy" / "sagemaker"


@pytest.mark.parametrize(
    ("name", "machine", "task", "bucket"),
    [
        ("train-cpu", "ml.m5.large", "CPU", "ml-ids-2018-sm"),
        ("train-gpu", "ml.p2.xlarge", "GPU", "ml-ids-2018-full"),
    ],
)
def test_the_jobs_are_those_of_the_predecessor(name: str, machine: str, task: str, bucket: str) -> None:
    config = read_train_config(FOLDER / f"{name}.json")
    assert (config.train.instance_type, config.train.task_type) == (machine, task)
    assert (config.train.instance_count, config.train.max_run_seconds) == (1, 7200)
    assert config.data.train == f"s3://{bucket}/training"


def test_so_is_the_endpoint() -> None:
    config = read_deploy_config(FOLDER / "deploy.json")
    assert (config.deploy.app_name, config.deploy.region) == ("ml-ids-classifier", "eu-west-1")
    assert (config.deploy.instance_type, config.deploy.instance_count) == ("ml.t2.medium", 1)
    assert config.model_url("job-1").endswith("/job-1/output/model.tar.gz")


def test_a_wrong_field_is_one_line(tmp_path: Path) -> None:
    config = json.loads((FOLDER / "train-cpu.json").read_text()) | {"role": "me"}
    (tmp_path / "x.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"x\.json: role: "):
        read_train_config(tmp_path / "x.json")


@pytest.mark.parametrize("ref", ["refs/tags/m1.0", "m1.0"])
def test_a_tag_names_its_job(ref: str) -> None:
    assert job_of_ref(ref) == "ml-ids-sagemaker-m1-0"


@pytest.mark.parametrize("ref", ["refs/heads/main", "main", "v1.0", "refs/tags/v1.0"])
def test_others_name_none(ref: str) -> None:
    with pytest.raises(ValueError, match="is no tag of a model, such as refs/tags/m1"):
        job_of_ref(ref)


@pytest.mark.parametrize("job", ["", "a b", "-a", "a" * 64, "m1.0"])
def test_what_sagemaker_does_not_take_is_no_job(job: str) -> None:
    with pytest.raises(ValueError, match="JOB_ID"):
        checked_job(job)
