from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.stub import Stubber

from helpers.moto import client
from training.gradient_boost import TrainingParams
from training.sagemaker.config import read_train_config
from training.sagemaker.jobs import METRICS, follow_training, start_training

CONFIG = read_train_config(Path(__file__).parents[3] / "deploy" / "sagemaker" / "train-cpu.json")
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml-ids-train-sagemaker:m1-0"


def test_a_job_is_what_the_files_say(amazon: str) -> None:
    sagemaker = client(amazon, "sagemaker")
    params = TrainingParams(task_type="GPU", tree_depth=4)
    sent: list[dict[str, Any]] = []
    event = "provide-client-params.sagemaker.CreateTrainingJob"
    sagemaker.meta.events.register(event, lambda params, **_: sent.append(params))
    start_training(sagemaker, CONFIG, params, image=IMAGE, job_id="job-1")
    # moto puts others in their place.
    assert sent[0]["AlgorithmSpecification"]["MetricDefinitions"] == list(METRICS)
    job = sagemaker.describe_training_job(TrainingJobName="job-1")
    assert job["RoleArn"] == CONFIG.role
    assert job["AlgorithmSpecification"]["TrainingImage"] == IMAGE
    assert (job["HyperParameters"]["task_type"], job["HyperParameters"]["tree_depth"]) == ("CPU", "4")
    channels = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in job["InputDataConfig"]
    }
    assert channels == {
        "training": "s3://ml-ids-2018-sm/training",
        "validation": "s3://ml-ids-2018-sm/validation",
        "testing": "s3://ml-ids-2018-sm/testing",
    }
    assert job["ResourceConfig"]["InstanceType"] == "ml.m5.large"
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 7200}
    told: list[str] = []
    follow_training(sagemaker, "job-1", told.append)
    assert told[0].startswith("job-1: Completed")
    assert told[-1].startswith("model: s3://sagemaker-eu-west-1-000000000000/job-1/output/model.tar.gz")


def described(status: str, **more: Any) -> dict[str, Any]:
    needed = {
        "TrainingJobName": "job-3",
        "TrainingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:training-job/job-3",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/job-3/output/model.tar.gz"},
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 1},
        "StoppingCondition": {},
        "CreationTime": 0,
    }
    return needed | {"TrainingJobStatus": status, "SecondaryStatus": status} | more


def test_it_is_followed_to_its_end(amazon: str) -> None:
    sagemaker = client(amazon, "sagemaker")
    with Stubber(sagemaker) as stubbed:
        figure = {"MetricName": "test:f1", "Value": 0.5, "Timestamp": 0}
        for answer in (
            described("InProgress"),
            described("InProgress"),
            described("Completed", FinalMetricDataList=[figure]),
        ):
            stubbed.add_response("describe_training_job", answer)
        told: list[str] = []
        follow_training(sagemaker, "job-3", told.append, poll_seconds=0)
    assert told == [
        "job-3: InProgress, InProgress",
        "job-3: Completed, Completed",
        "test:f1: 0.5",
        "model: s3://bucket/job-3/output/model.tar.gz",
    ]


def test_a_failure_says_what_the_container_said(amazon: str) -> None:
    sagemaker = client(amazon, "sagemaker")
    with Stubber(sagemaker) as stubbed:
        stubbed.add_response(
            "describe_training_job", described("Failed", FailureReason="AlgorithmError: no h5")
        )
        with pytest.raises(RuntimeError, match="job-3: Failed: AlgorithmError: no h5"):
            follow_training(sagemaker, "job-3", lambda _: None)
