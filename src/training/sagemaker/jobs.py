"""Training jobs on SageMaker."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from training.gradient_boost import TrainingParams
from training.sagemaker.config import TrainConfig, checked_job

_NUMBER: Final = r"\s*([\d.]+)"
METRICS: Final = (
    {"Name": "train:loss", "Regex": f"learn:{_NUMBER}"},
    {"Name": "val:loss", "Regex": f"test:{_NUMBER}"},
    {"Name": "val:loss:best", "Regex": rf"bestTest\s={_NUMBER}"},
    {"Name": "test:pr_auc", "Regex": f"pr_auc:{_NUMBER}"},
    {"Name": "test:precision", "Regex": f"precision:{_NUMBER}"},
    {"Name": "test:recall", "Regex": f"recall:{_NUMBER}"},
    {"Name": "test:f1", "Regex": f"f1:{_NUMBER}"},
)
"""How SageMaker reads the log of a training; cstub/ml-ids's names."""

ENDED: Final = frozenset({"Completed", "Failed", "Stopped"})
POLL_SECONDS: Final = 15.0


def start_training(
    client: Any, config: TrainConfig, params: TrainingParams, *, image: str, job_id: str
) -> None:
    """Start a job.

    Args:
        client: boto3's, of sagemaker.
        config: on what, and where data and model are.
        params: hyperparameters; the config's task type goes before theirs.
        image: the training image's name, as `docker pull` takes it.
        job_id: its name.

    Raises:
        ValueError: the id is none.
        botocore.exceptions.ClientError: Amazon refuses.
    """
    given = params.model_dump() | {"task_type": config.train.task_type}
    channels = {"training": config.data.train, "validation": config.data.val, "testing": config.data.test}
    client.create_training_job(
        TrainingJobName=checked_job(job_id),
        RoleArn=config.role,
        AlgorithmSpecification={
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": list(METRICS),
        },
        HyperParameters={name: str(value) for name, value in given.items()},
        InputDataConfig=[_channel(name, place) for name, place in channels.items()],
        OutputDataConfig={"S3OutputPath": config.model_bucket},
        ResourceConfig={
            "InstanceType": config.train.instance_type,
            "InstanceCount": config.train.instance_count,
            "VolumeSizeInGB": config.train.volume_gb,
        },
        StoppingCondition={"MaxRuntimeInSeconds": config.train.max_run_seconds},
    )


def follow_training(
    client: Any, job_id: str, say: Callable[[str], None], *, poll_seconds: float = POLL_SECONDS
) -> None:
    """Wait for a job's end, and say what it does meanwhile.

    Raises:
        RuntimeError: it did not complete; says why.
    """
    told = ""
    while True:
        job = client.describe_training_job(TrainingJobName=job_id)
        status = job["TrainingJobStatus"]
        if (now := f"{job_id}: {status}, {job.get('SecondaryStatus', '')}") != told:
            say(told := now)
        if status in ENDED:
            break
        time.sleep(poll_seconds)
    for metric in job.get("FinalMetricDataList", ()):
        say(f"{metric['MetricName']}: {metric['Value']}")
    if status != "Completed":
        raise RuntimeError(f"{job_id}: {status}: {job.get('FailureReason', 'no reason is given')}")
    say(f"model: {job['ModelArtifacts']['S3ModelArtifacts']}")


def _channel(name: str, place: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": place, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}
