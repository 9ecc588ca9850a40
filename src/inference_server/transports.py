"""The transports that the settings ask for."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from alerting.benign_stream import BenignStream
from alerting.transports.aws import AwsAccess
from alerting.transports.email import EmailTransport, MailServer
from alerting.transports.sns import SnsTransport
from alerting.transports.sqs import SqsTransport
from alerting.transports.syslog import SyslogTransport
from alerting.transports.transport import Transport
from alerting.transports.webhook import WebhookTransport
from inference_server.configuration.publishing_settings import queue_region, syslog_server, topic_region
from inference_server.settings import Settings

_AMAZON: Final = (".amazonaws.com", ".amazonaws.com.cn")


def configured_transports(settings: Settings) -> list[Transport]:
    """Return a transport for every place that alerts are to go to.

    Raises:
        ValueError: one lacks a setting; names it.
    """
    transports = configured_queues(settings)
    if settings.webhook_url:
        transports.append(
            WebhookTransport(
                settings.webhook_url.get_secret_value(),
                secret=_plain(settings.webhook_secret),
                body=settings.webhook_format,
            )
        )
    if settings.alert_email_to and settings.smtp_host:
        transports.append(_email(settings, settings.smtp_host))
    if settings.syslog_address:
        transports.append(SyslogTransport(*syslog_server(settings.syslog_address)))
    return transports


def check_transports(settings: Settings) -> None:
    """Make every transport and let go of it.

    Raises:
        ValueError: one lacks a setting; names it.
    """
    for transport in configured_transports(settings):
        transport.close()


def configured_queues(settings: Settings) -> list[Transport]:
    """Return transports to topic and queue only, which programs read.

    Raises:
        ValueError: no region is known; names the setting.
    """
    queues: list[Transport] = []
    if settings.aws_sns_predictions_topic:
        queues.append(SnsTransport(settings.aws_sns_predictions_topic, sns_access(settings)))
    if settings.sqs_queue_url:
        queues.append(SqsTransport(settings.sqs_queue_url, sqs_access(settings)))
    return queues


def configured_benign_streams(settings: Settings) -> list[BenignStream]:
    """Return the streams of benign flows, which share no connection with the alerts.

    Raises:
        ValueError: as `configured_queues` does.
    """
    return [BenignStream(queue) for queue in configured_queues(settings)] if settings.publish_benign else []


def sns_access(settings: Settings) -> AwsAccess:
    """Return how SNS is reached."""
    topic = settings.aws_sns_predictions_topic
    access_key, secret_key = settings.aws_keys
    return AwsAccess(
        region=topic_region(topic) if topic else settings.aws_region,
        endpoint=settings.aws_endpoint_url_sns,
        access_key=access_key,
        secret_key=secret_key,
    )


def sqs_access(settings: Settings) -> AwsAccess:
    """Return how SQS is reached: a queue that is not Amazon's is where its URL says."""
    queue = settings.sqs_queue_url
    parts = urlsplit(queue or "")
    elsewhere = parts.hostname and not parts.hostname.endswith(_AMAZON)
    access_key, secret_key = settings.aws_keys
    return AwsAccess(
        region=(queue_region(queue) if queue else None) or settings.aws_region,
        endpoint=settings.aws_endpoint_url_sqs or (f"{parts.scheme}://{parts.netloc}" if elsewhere else None),
        access_key=access_key,
        secret_key=secret_key,
    )


def mail_sender(settings: Settings) -> str:
    """Return the address that mails come from."""
    if settings.smtp_from:
        return settings.smtp_from
    user = settings.smtp_user or ""
    return user if "@" in user else f"ml-ids@{socket.gethostname()}"


def _email(settings: Settings, host: str) -> EmailTransport:
    server = MailServer(
        host,
        settings.smtp_port,
        settings.smtp_security,
        user=settings.smtp_user,
        password=_plain(settings.smtp_password),
    )
    return EmailTransport(server, mail_sender(settings), settings.alert_email_to)


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
