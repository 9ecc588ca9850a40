from __future__ import annotations

from typing import Any

import pytest

from inference_server.configuration.publishing_settings import queue_region, syslog_server, topic_region
from inference_server.settings import load_settings

TOPIC = "arn:aws:sns:eu-west-1:123456789012:predictions"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"aws_sns_predictions_topic": "predictions"},
            "AWS_SNS_PREDICTIONS_TOPIC=predictions: no ARN such as",
        ),
        ({"sqs_queue_url": "predictions"}, "SQS_QUEUE_URL=predictions: no URL that begins with https://"),
        ({"aws_region": "Ireland"}, "AWS_REGION=Ireland: .*such as eu-west-1"),
        ({"aws_access_key": "hush"}, "AWS_ACCESS_KEY is set without AWS_SECRET_KEY: set both"),
        ({"aws_secret_key": "hush"}, "AWS_SECRET_KEY is set without AWS_ACCESS_KEY: set both"),
        ({"webhook_url": "ftp://hush"}, "WEBHOOK_URL: no URL that begins with https://"),
        ({"webhook_format": "xml"}, "WEBHOOK_FORMAT=xml: .*'json' or 'slack'"),
        ({"alert_email_to": "me"}, "ALERT_EMAIL_TO=me: 'me' is no address such as soc@example.org"),
        ({"alert_email_to": "a@b"}, "ALERT_EMAIL_TO is set without SMTP_HOST"),
        ({"smtp_password": "hush"}, "SMTP_PASSWORD is set without SMTP_USER"),
        ({"smtp_user": "me", "smtp_security": "none"}, "SMTP_SECURITY=none would send .* in the clear"),
        ({"syslog_address": "10.0.0.5:514"}, "SYSLOG_ADDRESS=10.0.0.5:514: no address such as udp://"),
        ({"syslog_address": "tcp://10.0.0.5:99999"}, "SYSLOG_ADDRESS=.*: Port out of range"),
        ({"publish_benign": True}, "PUBLISH_BENIGN=true has nowhere to go: set AWS_SNS_PREDICTIONS_TOPIC"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_setting_and_fix(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}") as caught:
        load_settings(**given)
    assert len(str(caught.value).splitlines()) == 1
    assert "hush" not in str(caught.value)


def test_regions_are_read_from_where_they_stand() -> None:
    assert topic_region(TOPIC) == "eu-west-1"
    assert queue_region("https://sqs.eu-west-1.amazonaws.com/123456789012/attacks") == "eu-west-1"
    assert queue_region("https://sqs.cn-north-1.amazonaws.com.cn/1/attacks") == "cn-north-1"
    assert queue_region("http://127.0.0.1:4566/1/attacks") is None


def test_syslog_addresses() -> None:
    assert syslog_server("udp://10.0.0.5") == ("udp", "10.0.0.5", 514)
    assert syslog_server("tcp://[::1]:6514") == ("tcp", "::1", 6514)
    assert syslog_server("tcp://logs") == ("tcp", "logs", 601)


def test_lists_of_addresses() -> None:
    settings = load_settings(alert_email_to="a@b, c@d,", smtp_host="mail")
    assert settings.alert_email_to == ("a@b", "c@d")


@pytest.mark.parametrize("swapped", [False, True])
def test_keys_are_told_from_each_other_by_their_looks(swapped: bool) -> None:
    access, secret = "AKIATHEIRS1234567890", "a-secret-key-of-forty-characters-1234567"
    first, second = (secret, access) if swapped else (access, secret)
    settings = load_settings(aws_access_key=first, aws_secret_key=second)
    assert settings.aws_keys == (access, secret)
    assert settings.aws_keys_are_swapped is swapped


def test_keys_of_other_looks_stay_where_they_are() -> None:
    assert load_settings(aws_access_key="local", aws_secret_key="local").aws_keys == ("local", "local")
    assert load_settings().aws_keys == (None, None)
