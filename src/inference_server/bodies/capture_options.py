"""What live capture takes from the wire, as the settings want it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from capture.options import CaptureOptions, OwnService
from inference_server.configuration.publishing_settings import syslog_server
from inference_server.settings import Settings

ENDPOINT_VARIABLES: Final = (
    "MLFLOW_S3_ENDPOINT_URL",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SNS",
    "AWS_ENDPOINT_URL_SQS",
)
_MEGABYTE: Final = 1 << 20
_PORTS: Final = {"http": 80, "https": 443}


def capture_options(settings: Settings) -> CaptureOptions:
    """Return how interfaces are opened."""
    return CaptureOptions(
        packet_filter=settings.capture_filter,
        own_traffic=() if settings.capture_own_traffic else tuple(own_services(settings)),
        promiscuous=settings.capture_promiscuous,
        snaplen=settings.capture_snaplen,
        max_flows=settings.capture_max_flows,
        evidence_bytes=settings.evidence_mb * _MEGABYTE,
    )


def own_services(settings: Settings) -> Iterator[OwnService]:
    """Yield the API of this process, and the services that the settings and the environment name."""
    if settings.port:
        yield OwnService("PORT", settings.port)
    addresses = {"MLFLOW_TRACKING_URI": settings.mlflow_tracking_uri or ""}
    addresses |= {name: os.environ.get(name, "") for name in ENDPOINT_VARIABLES}
    addresses |= {
        "AWS_ENDPOINT_URL_SNS": settings.aws_endpoint_url_sns or addresses["AWS_ENDPOINT_URL_SNS"],
        "AWS_ENDPOINT_URL_SQS": settings.aws_endpoint_url_sqs or addresses["AWS_ENDPOINT_URL_SQS"],
        "SQS_QUEUE_URL": settings.sqs_queue_url or "",
        settings.remote_model_setting: settings.remote_model_url or "",
        "REMOTE_SCORING_URL": settings.remote_scoring_url or "",
        "WEBHOOK_URL": settings.webhook_url.get_secret_value() if settings.webhook_url else "",
    }
    for name, address in addresses.items():
        parts = urlsplit(address)
        if parts.hostname and parts.scheme in _PORTS:
            yield OwnService(name, parts.port or _PORTS[parts.scheme], parts.hostname)
    if settings.alert_email_to:
        yield OwnService("SMTP_HOST", settings.smtp_port, settings.smtp_host)
    if settings.syslog_address:
        protocol, host, port = syslog_server(settings.syslog_address)
        if protocol == "tcp":
            yield OwnService("SYSLOG_ADDRESS", port, host)
