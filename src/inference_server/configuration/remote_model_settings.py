"""The settings of a remote model that is the champion."""

from __future__ import annotations

import re
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from inference_server.configuration.publishing_settings import PublishingSettings

_HOST: Final = re.compile(r"(?P<name>[A-Za-z0-9.-]+)(:\d{1,5})?")
_ENDPOINT: Final = re.compile(r"(/endpoints/)?(?P<name>[A-Za-z0-9-]{1,63})(/invocations)?")
_RUNTIME: Final = re.compile(r"(?:[a-z0-9-]+\.)*sagemaker(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


class RemoteModelSettings(PublishingSettings):
    """A part of `Settings`; it signs with the keys of SNS and SQS."""

    aws_sagemaker_host: str | None = Field(
        None,
        description="host of SageMaker's runtime, such as runtime.sagemaker.eu-west-1.amazonaws.com; with "
        "AWS_SAGEMAKER_ENDPOINT its model judges flows, and the registry's when it does not answer, see "
        "[remote-model.md](remote-model.md); unset: the registry's",
    )
    aws_sagemaker_endpoint: str | None = Field(
        None, description="path of the endpoint, such as /endpoints/ml-ids/invocations, or its name"
    )
    model_uri: str | None = Field(
        None,
        description="URL of a model in MLflow's scoring protocol, such as https://models/invocations, that "
        "judges flows instead; unset: none",
    )
    model_uri_key: SecretStr | None = Field(
        None, description="what MODEL_URI is asked with, as `Authorization: Bearer`; unset: nothing"
    )
    remote_model_format: Literal["dataframe_split", "pandas-split"] | None = Field(
        None,
        description="how flows are sent: `dataframe_split`, MLflow's envelope, or `pandas-split`, columns "
        "and data alone as MLflow 1 read them; unset: the first to MODEL_URI, the second to SageMaker",
    )
    remote_model_numbers: Literal["attack", "code"] = Field(
        "attack",
        description="what numbers of its answers are: `attack`, 0 benign, 1 attack and what is between "
        "P(attack), or `code`, class codes as `POST /invocations` gives them",
    )
    remote_model_seconds: float = Field(
        2.0,
        gt=0,
        le=60,
        description="seconds that a remote model has for an answer, tries together, more than 0, at most 60",
    )
    remote_model_tries: int = Field(
        2, ge=1, le=5, description="how often a request is sent to it at most, 1 to 5"
    )
    remote_model_probe_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="seconds between two probes of a remote model that does not answer, more than 0, at most "
        "3600",
    )

    @field_validator("aws_sagemaker_host")
    @classmethod
    def _is_a_host(cls, value: str | None) -> str | None:
        if value is not None and not _HOST.fullmatch(value):
            raise ValueError("no host such as runtime.sagemaker.eu-west-1.amazonaws.com, without https://")
        return value

    @field_validator("aws_sagemaker_endpoint")
    @classmethod
    def _is_an_endpoint(cls, value: str | None) -> str | None:
        if value is not None and not _ENDPOINT.fullmatch(value):
            raise ValueError("no path such as /endpoints/ml-ids/invocations")
        return value

    @field_validator("model_uri")
    @classmethod
    def _is_a_model_url(cls, value: str | None) -> str | None:
        if value is None:
            return value
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                "no URL such as https://models/invocations; a registry's model is MLFLOW_MODEL_NAME"
            )
        if parts.username or parts.password:
            raise ValueError("holds a password, which logs would show: set MODEL_URI_KEY, or use a proxy")
        return value

    @model_validator(mode="after")
    def _is_one_model(self) -> Self:
        host, endpoint = self.aws_sagemaker_host, self.aws_sagemaker_endpoint
        if (host is None) != (endpoint is None):
            given, missing = "AWS_SAGEMAKER_HOST", "AWS_SAGEMAKER_ENDPOINT"
            if host is None:
                given, missing = missing, given
            raise ValueError(f"{given} is set without {missing}: set both, or neither")
        if host and self.model_uri:
            raise ValueError("MODEL_URI and AWS_SAGEMAKER_HOST are set: there is one champion, unset one")
        if host and not (self.aws_region or runtime_region(host)):
            raise ValueError("AWS_SAGEMAKER_HOST is set without AWS_REGION: set it, such as to eu-west-1")
        return self

    @property
    def remote_model_url(self) -> str | None:
        """What flows are posted to, None without a remote model."""
        if self.aws_sagemaker_host and self.aws_sagemaker_endpoint:
            return f"https://{self.aws_sagemaker_host}/endpoints/{self.sagemaker_endpoint_name}/invocations"
        return self.model_uri

    @property
    def remote_model_setting(self) -> str:
        """The setting that names the host of a remote model."""
        return "AWS_SAGEMAKER_HOST" if self.aws_sagemaker_host else "MODEL_URI"

    @property
    def sagemaker_endpoint_name(self) -> str | None:
        """The name in AWS_SAGEMAKER_ENDPOINT."""
        found = _ENDPOINT.fullmatch(self.aws_sagemaker_endpoint or "")
        return found["name"] if found else None


def runtime_region(host: str) -> str | None:
    """Return the region of SageMaker's runtime, None of any other host."""
    found = _RUNTIME.fullmatch(host)
    return found[1] if found else None
