from __future__ import annotations

from typing import Any

import pytest

from inference_server.settings import load_settings
from inference_server.transports import configured_transports, mail_sender, sns_access, sqs_access

TOPIC = "arn:aws:sns:eu-west-1:123456789012:predictions"
QUEUE = "https://sqs.eu-west-2.amazonaws.com/123456789012/attacks"


def _names(**settings: Any) -> list[str]:
    transports = configured_transports(load_settings(**settings))
    for transport in transports:
        transport.close()
    return [transport.name for transport in transports]


def test_nothing_is_sent_unless_asked_for() -> None:
    assert _names() == []


def test_every_place_has_a_transport() -> None:
    mail = {"alert_email_to": "a@b", "smtp_host": "mail"}
    queues = {"aws_sns_predictions_topic": TOPIC, "sqs_queue_url": QUEUE}
    everything = {**queues, **mail, "webhook_url": "http://hook", "syslog_address": "udp://logs"}
    assert _names(**everything) == ["sns", "sqs", "webhook", "email", "syslog"]


def test_regions_and_endpoints() -> None:
    settings = load_settings(aws_sns_predictions_topic=TOPIC, sqs_queue_url=QUEUE)
    assert (sns_access(settings).region, sns_access(settings).endpoint) == ("eu-west-1", None)
    assert (sqs_access(settings).region, sqs_access(settings).endpoint) == ("eu-west-2", None)
    settings = load_settings(
        aws_sns_predictions_topic=TOPIC,
        sqs_queue_url="http://127.0.0.1:4566/000000000000/attacks",
        aws_region="us-east-1",
        aws_endpoint_url_sns="http://127.0.0.1:4566",
    )
    assert (sns_access(settings).region, sns_access(settings).endpoint) == (
        "eu-west-1",
        "http://127.0.0.1:4566",
    )
    assert (sqs_access(settings).region, sqs_access(settings).endpoint) == (
        "us-east-1",
        "http://127.0.0.1:4566",
    )


def test_a_queue_of_no_known_region(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(ValueError, match=r"^AWS_REGION is not set: set it to the queue's region"):
        _names(sqs_queue_url="http://127.0.0.1:4566/000000000000/attacks")


def test_who_mails_come_from() -> None:
    assert mail_sender(load_settings(smtp_from="x@y", smtp_user="me@z")) == "x@y"
    assert mail_sender(load_settings(smtp_user="me@z")) == "me@z"
    assert mail_sender(load_settings(smtp_user="me")).startswith("ml-ids@")
