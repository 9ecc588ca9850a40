from __future__ import annotations

import pytest

from capture.options import CaptureOptions, OwnService
from inference_server.bodies.capture_options import ENDPOINT_VARIABLES, capture_options
from inference_server.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _no_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*ENDPOINT_VARIABLES, "MLFLOW_TRACKING_URI", "PORT"):
        monkeypatch.delenv(name, raising=False)


def test_defaults_take_all_but_the_api_on_loopback() -> None:
    assert capture_options(Settings()) == CaptureOptions(
        packet_filter="",
        own_traffic=(OwnService("PORT", 8000),),
        promiscuous=True,
        snaplen=262_144,
        max_flows=262_144,
        evidence_bytes=32 << 20,
    )


def test_every_setting_arrives() -> None:
    settings = Settings(
        capture_filter="tcp",
        capture_promiscuous=False,
        capture_snaplen=128,
        capture_max_flows=2048,
        evidence_mb=0,
        port=0,
    )
    assert capture_options(settings) == CaptureOptions("tcp", (), False, 128, 2048, 0)


def test_services_that_are_named_by_address_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://s3.example:9000")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "https://sns.example/path")
    settings = Settings(mlflow_tracking_uri="http://user:secret@mlflow.example:5000")
    assert capture_options(settings).own_traffic == (
        OwnService("PORT", 8000),
        OwnService("MLFLOW_TRACKING_URI", 5000, "mlflow.example"),
        OwnService("MLFLOW_S3_ENDPOINT_URL", 9000, "s3.example"),
        OwnService("AWS_ENDPOINT_URL_SNS", 443, "sns.example"),
    )


def test_places_that_alerts_go_to_are_left_out() -> None:
    settings = Settings(
        sqs_queue_url="http://queues.example:4566/1/attacks",
        aws_endpoint_url_sns="http://topics.example",
        webhook_url="https://hooks.example/token",
        remote_scoring_url="https://central.example",
        alert_email_to="soc@example.org",
        smtp_host="mail.example",
        syslog_address="tcp://logs.example",
    )
    assert capture_options(settings).own_traffic == (
        OwnService("PORT", 8000),
        OwnService("AWS_ENDPOINT_URL_SNS", 80, "topics.example"),
        OwnService("SQS_QUEUE_URL", 4566, "queues.example"),
        OwnService("REMOTE_SCORING_URL", 443, "central.example"),
        OwnService("WEBHOOK_URL", 443, "hooks.example"),
        OwnService("SMTP_HOST", 587, "mail.example"),
        OwnService("SYSLOG_ADDRESS", 601, "logs.example"),
    )


def test_a_registry_that_is_a_file_is_no_service() -> None:
    settings = Settings(mlflow_tracking_uri="sqlite:////tmp/mlflow.db")
    assert capture_options(settings).own_traffic == (OwnService("PORT", 8000),)


def test_own_traffic_can_be_captured() -> None:
    assert capture_options(Settings(capture_own_traffic=True)).own_traffic == ()


@pytest.mark.parametrize(("field", "value"), [("capture_snaplen", 20), ("evidence_mb", -1)])
def test_impossible_values_are_refused_by_name(field: str, value: int) -> None:
    with pytest.raises(ValueError, match=field.upper()):
        load_settings(**{field: value})


@pytest.mark.parametrize(
    ("chosen", "service"),
    [
        ({"model_uri": "http://models:9000/invocations"}, OwnService("MODEL_URI", 9000, "models")),
        (
            {
                "aws_sagemaker_host": "localhost:8443",
                "aws_sagemaker_endpoint": "e",
                "aws_region": "eu-west-1",
            },
            OwnService("AWS_SAGEMAKER_HOST", 8443, "localhost"),
        ),
    ],
)
def test_so_is_a_remote_model(chosen: dict[str, str], service: OwnService) -> None:
    assert service in capture_options(load_settings(**chosen)).own_traffic
