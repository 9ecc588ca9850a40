from __future__ import annotations

from pathlib import Path

import pytest
from botocore.stub import Stubber

from helpers.moto import client
from training.gradient_boost import TrainingParams
from training.sagemaker.config import read_deploy_config, read_train_config
from training.sagemaker.endpoints import deploy, undeploy
from training.sagemaker.jobs import start_training

FOLDER = Path(__file__).parents[3] / "deploy" / "sagemaker"
TRAIN, CONFIG = read_train_config(FOLDER / "train-cpu.json"), read_deploy_config(FOLDER / "deploy.json")
APP = CONFIG.deploy.app_name
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ml-ids-train-sagemaker:m1-0"
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:"


def test_what_a_job_trained_is_served_and_taken_away(amazon: str) -> None:
    sagemaker = client(amazon, "sagemaker")
    start_training(sagemaker, TRAIN, TrainingParams(), image=IMAGE, job_id="served-1")
    assert deploy(sagemaker, CONFIG, "served-1", poll_seconds=1) == APP
    found = sagemaker.describe_endpoint(EndpointName=APP)
    assert found["EndpointStatus"] == "InService"
    config = sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
    (variant,) = config["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.t2.medium", 1)
    assert variant["VariantName"] == "served-1"
    model = sagemaker.describe_model(ModelName=variant["ModelName"])
    assert model["PrimaryContainer"]["Image"] == IMAGE
    assert model["PrimaryContainer"]["ModelDataUrl"] == CONFIG.model_url("served-1")
    with pytest.raises(ValueError, match="serves served-1 already"):
        deploy(sagemaker, CONFIG, "served-1")

    assert undeploy(sagemaker, CONFIG) == APP
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []
    with pytest.raises(LookupError, match="eu-west-1 has no endpoint ml-ids-classifier"):
        undeploy(sagemaker, CONFIG)


def test_a_second_model_takes_the_place_of_the_first() -> None:
    """What moto does not know: calls and answers as botocore's description of the service has them."""
    sagemaker = client("http://127.0.0.1:9", "sagemaker")
    old, new = f"{APP}-one", f"{APP}-two"
    endpoint = {
        "EndpointName": APP,
        "EndpointArn": f"{ARN}endpoint/{APP}",
        "CreationTime": 0,
        "LastModifiedTime": 0,
    }
    variant = {
        "VariantName": "one",
        "ModelName": old,
        "InstanceType": "ml.t2.medium",
        "InitialInstanceCount": 1,
    }
    with Stubber(sagemaker) as stubbed:
        job = {
            "TrainingJobName": "two",
            "TrainingJobArn": f"{ARN}training-job/two",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m"},
            "TrainingJobStatus": "Completed",
            "SecondaryStatus": "Completed",
            "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            "ResourceConfig": {"VolumeSizeInGB": 1},
            "StoppingCondition": {},
            "CreationTime": 0,
        }
        stubbed.add_response("describe_training_job", job, {"TrainingJobName": "two"})
        stubbed.add_response("list_endpoints", {"Endpoints": [endpoint | {"EndpointStatus": "InService"}]})
        answer = endpoint | {"EndpointConfigName": old, "EndpointStatus": "InService"}
        stubbed.add_response("describe_endpoint", answer, {"EndpointName": APP})
        stubbed.add_response("create_model", {"ModelArn": f"{ARN}model/{new}"})
        stubbed.add_response("create_endpoint_config", {"EndpointConfigArn": f"{ARN}endpoint-config/{new}"})
        given = {"EndpointName": APP, "EndpointConfigName": new}
        stubbed.add_response("update_endpoint", {"EndpointArn": f"{ARN}endpoint/{APP}"}, given)
        stubbed.add_response("describe_endpoint", answer | {"EndpointConfigName": new}, {"EndpointName": APP})
        config = {
            "EndpointConfigName": old,
            "EndpointConfigArn": f"{ARN}endpoint-config/{old}",
            "ProductionVariants": [variant],
            "CreationTime": 0,
        }
        stubbed.add_response("describe_endpoint_config", config, {"EndpointConfigName": old})
        stubbed.add_response("delete_endpoint_config", {}, {"EndpointConfigName": old})
        stubbed.add_response("delete_model", {}, {"ModelName": old})
        assert deploy(sagemaker, CONFIG, "two", poll_seconds=1) == APP
        stubbed.assert_no_pending_responses()
