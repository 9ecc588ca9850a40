"""The endpoint that serves what a training job made."""

from __future__ import annotations

from typing import Any, Final

from training.sagemaker.config import DeployConfig, checked_job

POLL_SECONDS: Final = 15
POLLS: Final = 120
NAME_LENGTH: Final = 63


def deploy(
    client: Any,
    config: DeployConfig,
    job_id: str,
    *,
    image: str | None = None,
    poll_seconds: int = POLL_SECONDS,
) -> str:
    """Serve a job's model, in the place of what is served; return the endpoint's name once it answers.

    Args:
        client: boto3's, of sagemaker.
        config: what is deployed where.
        job_id: of the training job.
        image: serves it; None: the image that trained it.
        poll_seconds: between two looks.

    Raises:
        ValueError: the id is none.
        botocore.exceptions.ClientError: Amazon refuses.
        botocore.exceptions.WaiterError: the endpoint does not come up.
    """
    job = client.describe_training_job(TrainingJobName=checked_job(job_id))
    app = config.deploy.app_name
    name = f"{app}-{job_id}"[:NAME_LENGTH].rstrip("-")
    before = _config_of(client, app)
    if before == name:
        raise ValueError(f"{app} serves {job_id} already: undeploy it first, or train another")
    client.create_model(
        ModelName=name,
        ExecutionRoleArn=config.role,
        PrimaryContainer={
            "Image": image or job["AlgorithmSpecification"]["TrainingImage"],
            "ModelDataUrl": config.model_url(job_id),
        },
    )
    client.create_endpoint_config(
        EndpointConfigName=name,
        ProductionVariants=[
            {
                "VariantName": job_id,
                "ModelName": name,
                "InstanceType": config.deploy.instance_type,
                "InitialInstanceCount": config.deploy.instance_count,
            }
        ],
    )
    if before is None:
        client.create_endpoint(EndpointName=app, EndpointConfigName=name)
    else:
        client.update_endpoint(EndpointName=app, EndpointConfigName=name)
    patience = {"Delay": poll_seconds, "MaxAttempts": POLLS}
    client.get_waiter("endpoint_in_service").wait(EndpointName=app, WaiterConfig=patience)
    if before is not None:
        _remove_config(client, before)
    return app


def undeploy(client: Any, config: DeployConfig) -> str:
    """Remove the endpoint, its configuration and its model; return its name.

    Raises:
        LookupError: there is no such endpoint.
        botocore.exceptions.ClientError: Amazon refuses.
    """
    app = config.deploy.app_name
    found = _config_of(client, app)
    if found is None:
        raise LookupError(f"{config.deploy.region} has no endpoint {app}")
    client.delete_endpoint(EndpointName=app)
    _remove_config(client, found)
    return app


def _config_of(client: Any, endpoint: str) -> str | None:
    """Return the name of an endpoint's configuration, None when there is no such endpoint."""
    found = client.list_endpoints(NameContains=endpoint)["Endpoints"]
    if endpoint not in [each["EndpointName"] for each in found]:
        return None
    return str(client.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"])


def _remove_config(client: Any, name: str) -> None:
    variants = client.describe_endpoint_config(EndpointConfigName=name)["ProductionVariants"]
    client.delete_endpoint_config(EndpointConfigName=name)
    for variant in variants:
        client.delete_model(ModelName=variant["ModelName"])
