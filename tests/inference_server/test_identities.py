from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inference_server.identities import identities
from inference_server.settings import load_settings

TOPIC = "arn:aws:sns:eu-west-1:123456789012:predictions"
QUEUE = "https://sqs.eu-west-2.amazonaws.com/123456789012/attacks"
SECRET = "not-to-be-shown"


@pytest.fixture(autouse=True)
def _nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def _identities(**settings: Any) -> dict[str, str]:
    found = dict(identities(load_settings(**settings)))
    assert SECRET not in str(found)
    return found


def test_queues_and_the_registrys_store_have_identities_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASTORE00000001111")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    keys = {"aws_access_key": "AKIAQUEUE00000002222", "aws_secret_key": SECRET}
    found = _identities(aws_sns_predictions_topic=TOPIC, **keys)
    assert found["MLflow's S3"] == "AWS_ACCESS_KEY_ID ****1111"
    assert found["SNS"] == "AWS_ACCESS_KEY ****2222"
    assert found["SQS"] == "not used"


def test_without_keys_of_their_own_queues_use_the_standard_chain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = ["[default]", "aws_access_key_id = AKIAPROFILE000003333", f"aws_secret_access_key = {SECRET}"]
    (tmp_path / "credentials").write_text("\n".join(lines))
    found = _identities(sqs_queue_url=QUEUE)
    assert found["SQS"] == "standard chain (shared-credentials-file) ****3333"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "short")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    assert _identities(sqs_queue_url=QUEUE)["SQS"] == "AWS_ACCESS_KEY_ID ****"


def test_nobody_at_all() -> None:
    found = _identities(sqs_queue_url=QUEUE)
    assert found["SQS"].startswith("none: set AWS_ACCESS_KEY_ID")
    assert (found["webhook"], found["e-mail"], found["syslog"]) == ("not used",) * 3


def test_webhook_mail_and_syslog() -> None:
    found = _identities(
        webhook_url=f"https://hooks.example/{SECRET}",
        webhook_secret=SECRET,
        alert_email_to="soc@example.org",
        smtp_host="mail.example",
        smtp_user="sensor@example.org",
        smtp_password=SECRET,
        syslog_address="tcp://logs.example",
    )
    assert found["webhook"] == "signed with WEBHOOK_SECRET, at https://hooks.example"
    assert found["e-mail"] == (
        "SMTP_USER sensor@example.org, at mail.example port 587, from sensor@example.org"
    )
    assert found["syslog"] == "nobody, at logs.example port 601 (TCP)"


def test_keys_in_each_others_place_show_no_secret() -> None:
    keys = {"aws_access_key": SECRET, "aws_secret_key": "AKIAQUEUE00000002222"}
    found = _identities(aws_sns_predictions_topic=TOPIC, **keys)
    assert found["SNS"] == "AWS_ACCESS_KEY ****2222, which is in AWS_SECRET_KEY: swap the two"


def test_remote_models() -> None:
    assert _identities()["remote model"] == "not used"
    assert _identities(model_uri="https://models/invocations")["remote model"] == "nobody"
    assert _identities(model_uri="https://models", model_uri_key=SECRET)["remote model"] == "MODEL_URI_KEY"
    sagemaker = {
        "aws_sagemaker_host": "runtime.sagemaker.eu-west-1.amazonaws.com",
        "aws_sagemaker_endpoint": "ml-ids",
        "aws_access_key": "AKIAQUEUE00000002222",
        "aws_secret_key": SECRET,
    }
    assert _identities(**sagemaker)["remote model"] == "AWS_ACCESS_KEY ****2222"
