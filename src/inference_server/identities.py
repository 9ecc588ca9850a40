"""Who the service is to others: which credentials each part uses, never the credentials."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from inference_server.configuration.publishing_settings import syslog_server
from inference_server.settings import Settings
from inference_server.transports import mail_sender

SHOWN: Final = 4
"""Of a key's id, as `aws configure list` shows it; of ids long enough not to be told by it."""


def identities(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each part that shows an identity to somebody, and which; boto3 is asked, which may ask Amazon."""
    yield "MLflow's S3", _chain()
    for part, used in (("SNS", settings.aws_sns_predictions_topic), ("SQS", settings.sqs_queue_url)):
        yield part, _aws_identity(settings) if used else "not used"
    yield "remote model", _remote_model(settings)
    yield "webhook", _webhook(settings)
    yield "e-mail", _email(settings)
    if settings.syslog_address:
        protocol, host, port = syslog_server(settings.syslog_address)
        yield "syslog", f"nobody, at {host} port {port} ({protocol.upper()})"
    else:
        yield "syslog", "not used"


def _aws_identity(settings: Settings) -> str:
    access_key, _ = settings.aws_keys
    if access_key is None:
        return _chain()
    swapped = ", which is in AWS_SECRET_KEY: swap the two" if settings.aws_keys_are_swapped else ""
    return f"AWS_ACCESS_KEY {_ending(access_key)}{swapped}"


def _remote_model(settings: Settings) -> str:
    if settings.aws_sagemaker_host:
        return _aws_identity(settings)
    if settings.model_uri:
        return "MODEL_URI_KEY" if settings.model_uri_key else "nobody"
    return "not used"


def _chain() -> str:
    """Return the identity that boto3 finds by itself."""
    from boto3.session import Session
    from botocore.exceptions import BotoCoreError

    try:
        found = Session().get_credentials()
    except BotoCoreError as error:
        return f"none: {error}"
    if found is None:
        return "none: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role"
    source = "AWS_ACCESS_KEY_ID" if found.method == "env" else f"standard chain ({found.method})"
    return f"{source} {_ending(found.access_key)}"


def _webhook(settings: Settings) -> str:
    if settings.webhook_url is None:
        return "not used"
    parts = urlsplit(settings.webhook_url.get_secret_value())
    how = "signed with WEBHOOK_SECRET" if settings.webhook_secret else "not signed"
    return f"{how}, at {parts.scheme}://{parts.hostname}"


def _email(settings: Settings) -> str:
    if not settings.alert_email_to:
        return "not used"
    who = f"SMTP_USER {settings.smtp_user}" if settings.smtp_user else "nobody"
    return f"{who}, at {settings.smtp_host} port {settings.smtp_port}, from {mail_sender(settings)}"


def _ending(key_id: str) -> str:
    return f"****{key_id[-SHOWN:]}" if len(key_id) >= 4 * SHOWN else "****"
