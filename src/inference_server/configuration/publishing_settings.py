"""The settings of what leaves this machine: SNS, SQS, webhook, e-mail and syslog."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

Addresses = Annotated[tuple[str, ...], NoDecode]

_TOPIC: Final = re.compile(r"arn:aws[a-z-]*:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,251}(\.fifo)?")
_KEY_ID: Final = re.compile(r"A[KS]IA[A-Z0-9]{16}")
_ADDRESS: Final = re.compile(r"[^@\s,<>]+@[^@\s,<>]+")
SYSLOG_PORTS: Final = {"udp": 514, "tcp": 601}


class PublishingSettings(BaseSettings):
    """A part of `Settings`."""

    aws_sns_predictions_topic: str | None = Field(
        None, description="ARN of the SNS topic that alerts are published to; unset: none"
    )
    sqs_queue_url: str | None = Field(
        None,
        description="URL of the SQS queue that alerts are sent to without a topic, as a queue that is "
        "subscribed to the topic gets them; unset: none",
    )
    aws_region: str | None = Field(
        None,
        pattern=r"^[a-z0-9-]+$",
        description="region, such as eu-west-1, of SageMaker, and of a queue whose URL does not name it (a "
        "topic's ARN does); unset: as boto3 finds it, of SageMaker as AWS_SAGEMAKER_HOST says",
    )
    aws_access_key: SecretStr | None = Field(
        None,
        description="key for SNS, SQS and SageMaker, with AWS_SECRET_KEY; unset: the first identity that "
        "boto3 finds (environment, profile, role)",
    )
    aws_secret_key: SecretStr | None = Field(None, description="what belongs to AWS_ACCESS_KEY")
    aws_endpoint_url_sns: str | None = Field(
        None, description="URL of an SNS that is not Amazon's; unset: Amazon's"
    )
    aws_endpoint_url_sqs: str | None = Field(
        None, description="URL of an SQS that is not Amazon's; unset: Amazon's, or where SQS_QUEUE_URL is"
    )
    publish_benign: bool = Field(
        False,
        description="true or false; true also publishes benign flows to topic and queue, as far as they keep "
        "up: the others are dropped and counted",
    )
    webhook_url: SecretStr | None = Field(
        None, description="URL that each message of an alert is posted to, http or https; unset: none"
    )
    webhook_secret: SecretStr | None = Field(
        None, description="signs what is posted, see [alerts.md](alerts.md); unset: nothing is signed"
    )
    webhook_format: Literal["json", "slack"] = Field(
        "json", description="`json` posts the line of alerts.json, `slack` a text for people"
    )
    alert_email_to: Addresses = Field((), description="comma list of addresses that get mails; unset: none")
    smtp_host: str | None = Field(None, description="mail server; needed for ALERT_EMAIL_TO")
    smtp_port: int = Field(587, ge=1, le=65535, description="its TCP port, 1 to 65535")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="`starttls`, `tls` from the first byte, or `none`: in the clear"
    )
    smtp_user: str | None = Field(None, description="whom to log in as; unset: nobody")
    smtp_password: SecretStr | None = Field(None, description="password of SMTP_USER")
    smtp_from: str | None = Field(
        None,
        description="the sender; unset: SMTP_USER when that is an address, else `ml-ids` at the host",
    )
    syslog_address: str | None = Field(
        None,
        description="syslog server that gets a line a message, `udp://HOST:PORT` or `tcp://HOST:PORT`, ports "
        "514 and 601 unless given; unset: none",
    )

    @field_validator("alert_email_to", mode="before")
    @classmethod
    def _split_addresses(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(part for part in (item.strip() for item in value.split(",")) if part)

    @field_validator("alert_email_to")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            if not _ADDRESS.fullmatch(address):
                raise ValueError(f"{address!r} is no address such as soc@example.org")
        return value

    @field_validator("smtp_from")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None and not _ADDRESS.fullmatch(value):
            raise ValueError("no address such as ml-ids@example.org")
        return value

    @field_validator("aws_sns_predictions_topic")
    @classmethod
    def _is_a_topic(cls, value: str | None) -> str | None:
        if value is not None and not _TOPIC.fullmatch(value):
            raise ValueError("no ARN such as arn:aws:sns:eu-west-1:123456789012:predictions")
        return value

    @field_validator("sqs_queue_url", "aws_endpoint_url_sns", "aws_endpoint_url_sqs")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value is not None and not _is_http(value):
            raise ValueError("no URL that begins with https:// or http:// and has a host")
        return value

    @field_validator("webhook_url")
    @classmethod
    def _is_a_secret_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_http(value.get_secret_value()):
            raise ValueError("no URL that begins with https:// or http:// and has a host")
        return value

    @field_validator("syslog_address")
    @classmethod
    def _is_a_syslog_address(cls, value: str | None) -> str | None:
        if value is not None:
            syslog_server(value)
        return value

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.aws_access_key is None) != (self.aws_secret_key is None):
            given, missing = "AWS_ACCESS_KEY", "AWS_SECRET_KEY"
            if self.aws_access_key is None:
                given, missing = missing, given
            raise ValueError(f"{given} is set without {missing}: set both, or neither")
        if self.alert_email_to and not self.smtp_host:
            raise ValueError("ALERT_EMAIL_TO is set without SMTP_HOST: set it to the mail server")
        if self.smtp_password is not None and self.smtp_user is None:
            raise ValueError("SMTP_PASSWORD is set without SMTP_USER: set it to whom the password belongs to")
        if self.smtp_user is not None and self.smtp_security == "none":
            raise ValueError(
                "SMTP_SECURITY=none would send SMTP_USER's password in the clear: set it to starttls or tls"
            )
        if self.publish_benign and not (self.aws_sns_predictions_topic or self.sqs_queue_url):
            raise ValueError(
                "PUBLISH_BENIGN=true has nowhere to go: set AWS_SNS_PREDICTIONS_TOPIC or SQS_QUEUE_URL"
            )
        return self

    @property
    def aws_keys(self) -> tuple[str | None, str | None]:
        """AWS_ACCESS_KEY and AWS_SECRET_KEY, each in its place; None both when they are not set.

        The `docker run` of cstub/ml-ids-api's README has them the wrong way round.
        """
        access, secret = self.aws_access_key, self.aws_secret_key
        if access is None or secret is None:
            return None, None
        if self.aws_keys_are_swapped:
            access, secret = secret, access
        return access.get_secret_value(), secret.get_secret_value()

    @property
    def aws_keys_are_swapped(self) -> bool:
        """Whether AWS_SECRET_KEY holds what is an access key by its looks, and AWS_ACCESS_KEY does not."""
        access, secret = self.aws_access_key, self.aws_secret_key
        return bool(access and secret and _key_id(secret) and not _key_id(access))


def _key_id(secret: SecretStr) -> bool:
    return bool(_KEY_ID.fullmatch(secret.get_secret_value()))


def topic_region(topic_arn: str) -> str:
    """Return the region of a topic."""
    return topic_arn.split(":")[3]


def queue_region(queue_url: str) -> str | None:
    """Return the region of a queue of Amazon's, None of any other."""
    found = re.fullmatch(r"sqs\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?", urlsplit(queue_url).hostname or "")
    return found[1] if found else None


def syslog_server(address: str) -> tuple[Literal["udp", "tcp"], str, int]:
    """Return protocol, host and port of a syslog server's address.

    Raises:
        ValueError: this is none.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("udp", "tcp") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError("no address such as udp://10.0.0.5:514 or tcp://10.0.0.5:601")
    protocol: Literal["udp", "tcp"] = "udp" if parts.scheme == "udp" else "tcp"
    return protocol, parts.hostname, parts.port or SYSLOG_PORTS[protocol]


def _is_http(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and bool(parts.hostname)
