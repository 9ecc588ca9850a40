"""What leaves a running service, read where it arrives."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from detection.mlflow_client import embedded_uri, open_client
from detection.registration import register_package
from flows.schema import COMMON_NAMES
from helpers.mlflow_server import S3_KEY, s3_server
from helpers.models import make_package, typical_flow
from helpers.queues import ACCOUNT, KEY, REGION, Queues, queue_server, row_of
from helpers.receivers import http_receiver, smtp_receiver, tcp_receiver
from helpers.server import wait_until
from helpers.tools import free_port

TIMESTAMP = "21/02/2018 10:15:06"
COLUMNS = ["dst_port", "protocol", "timestamp", *COMMON_NAMES, "prediction"]


@pytest.fixture
def state(champion_state: Path, tmp_path: Path) -> dict[str, Any]:
    """Settings of a service with an outbox of its own and the shared champion."""
    return {"state_dir": tmp_path / "var", "mlflow_tracking_uri": embedded_uri(champion_state)}


@pytest.fixture
def queue_keys(queues: Queues) -> dict[str, Any]:
    """Settings that reach the queues with a key of their own."""
    return {
        "aws_region": REGION,
        "aws_access_key": KEY[0],
        "aws_secret_key": KEY[1],
        "aws_endpoint_url_sns": queues.url,
        "aws_endpoint_url_sqs": queues.url,
    }


def _transport(client: httpx.Client, name: str) -> dict[str, Any]:
    transports = client.get("/health").json()["alerts"]["outbox"]["transports"]
    (found,) = [transport for transport in transports if transport["name"] == name]
    return dict(found)


def _flow(code: int) -> dict[str, Any]:
    return {"dst_port": 80, "protocol": 6, "timestamp": TIMESTAMP, **typical_flow(code)}


def _predict(client: httpx.Client) -> None:
    answer = client.post("/predict", json=[_flow(0), _flow(5)])
    assert answer.json()["label"] == ["benign", "DoS Hulk"]


def _request_predictions(client: httpx.Client) -> None:
    """As clients of cstub/ml-ids-api do."""
    split = {"columns": list(_flow(0)), "data": [list(_flow(0).values()), list(_flow(5).values())]}
    headers = {"Content-Type": "application/json; format=pandas-split"}
    assert client.post("/api/predictions", content=json.dumps(split), headers=headers).json() == [0.0, 1.0]


@pytest.mark.parametrize("ask", [_predict, _request_predictions])
def test_of_a_benign_and_an_attack_flow_exactly_the_attack_passes_the_filter(
    serve: Any,
    state: dict[str, Any],
    queues: Queues,
    queue_keys: dict[str, Any],
    ask: Callable[[httpx.Client], None],
) -> None:
    topic = queues.topic(ask.__name__)
    attacks, everything = queues.queue(f"attacks{ask.__name__}"), queues.queue(f"all{ask.__name__}")
    queues.subscribe(topic, attacks, {"prediction": ["attack"]})
    queues.subscribe(topic, everything)
    with serve(**state, **queue_keys, aws_sns_predictions_topic=topic, publish_benign=True) as client:
        ask(client)
        both = queues.receive(everything, 2)
        (attack,) = queues.receive(attacks, 1)
        wait_until(lambda: _transport(client, "sns")["delivered"] == 1)
        (benign,) = client.get("/health").json()["benign"]
        metrics = client.get("/metrics").text
    assert queues.waiting(attacks) == 0
    row = row_of(attack)
    assert list(row)[:80] == COLUMNS
    assert (row["prediction"], row["timestamp"], row["dst_port"], row["protocol"]) == (1.0, TIMESTAMP, 80, 6)
    assert {name: row[name] for name in COMMON_NAMES} == typical_flow(5)
    assert (row["revision"], row["count"], row["sensor"]) == (1, 1, "sensor-1")
    assert attack["MessageAttributes"]["prediction"] == {"Type": "String", "Value": "attack"}
    (other,) = [each for each in both if each["MessageAttributes"]["prediction"]["Value"] == "benign"]
    assert list(row_of(other))[:80] == COLUMNS
    assert (row_of(other)["prediction"], row_of(other)["timestamp"]) == (0.0, TIMESTAMP)
    assert (benign["offered"], benign["published"], benign["dropped"]) == (1, 1, {})
    assert 'mlids_benign_flows_published_total{transport="sns"} 1.0' in metrics
    assert 'mlids_transport_delivered_total{transport="sns"} 1.0' in metrics


def test_benign_flows_are_not_published_unless_asked_for(
    serve: Any, state: dict[str, Any], queues: Queues, queue_keys: dict[str, Any]
) -> None:
    queue = queues.queue("only-attacks")
    with serve(**state, **queue_keys, sqs_queue_url=queue) as client:
        client.post("/predict", json=[_flow(0)] * 20 + [_flow(5)])
        (attack,) = queues.receive(queue, 1)
        wait_until(lambda: _transport(client, "sqs")["delivered"] == 1)
        assert client.get("/health").json()["benign"] == []
    assert row_of(attack)["timestamp"] == TIMESTAMP
    assert queues.waiting(queue) == 0


def test_the_registrys_store_and_the_queues_take_different_keys_at_once(
    serve: Any,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    queues: Queues,
    queue_keys: dict[str, Any],
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEY[1])
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    topic, queue = queues.topic("keys"), queues.queue("keys")
    queues.subscribe(topic, queue)
    with s3_server(request.config, tmp_path / "s3", "models") as url:
        monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", url)
        registry = embedded_uri(tmp_path / "registry")
        package = make_package(tmp_path / "package")
        client = open_client(registry)
        register_package(client, package, "ml-ids", alias="champion", artifacts="s3://models/ids")
        settings = {"state_dir": tmp_path / "var", "mlflow_tracking_uri": registry}
        with serve(**settings, **queue_keys, aws_sns_predictions_topic=topic) as client:
            # A model serves a moment before the watcher says where it is from.
            wait_until(lambda: client.get("/health").json()["model"]["source"] == "registry")
            client.post("/predict", json=_flow(5))
            assert row_of(*queues.receive(queue, 1))["prediction"] == 1.0
        keys = {"aws_access_key": S3_KEY[0], "aws_secret_key": S3_KEY[1]}
        swapped = {**settings, **queue_keys, **keys, "state_dir": tmp_path / "swapped"}
        with serve(**swapped, aws_sns_predictions_topic=topic) as client:
            client.post("/predict", json=_flow(5))
            wait_until(lambda: _transport(client, "sns")["failures"])
            assert "security token" in _transport(client, "sns")["error"]
    assert queues.waiting(queue) == 0


def test_a_slow_webhook_delays_no_other_transport(serve: Any, state: dict[str, Any]) -> None:
    with ExitStack() as stack:
        webhook = stack.enter_context(http_receiver())
        mail = stack.enter_context(smtp_receiver())
        syslog = stack.enter_context(tcp_receiver())
        webhook.opened.clear()
        places = {
            "webhook_url": webhook.url,
            "webhook_secret": "hush",
            "alert_email_to": "soc@example.org",
            "smtp_host": "127.0.0.1",
            "smtp_port": mail.port,
            "smtp_security": "none",
            "syslog_address": f"tcp://127.0.0.1:{syslog.port}",
        }
        with serve(**state, **places) as client:
            client.post("/predict", json=[_flow(5)] * 10)
            wait_until(lambda: _transport(client, "syslog")["delivered"] == 10)
            wait_until(lambda: _transport(client, "email")["delivered"])
            assert _transport(client, "webhook")["pending"] == 10
            assert _transport(client, "webhook")["delivered_at"] is None
            assert _transport(client, "syslog")["delivered_at"]
            assert syslog.received.count(b"DoS Hulk from ") == 10
            assert mail.mails[0]["Subject"].startswith("[ML-IDS medium] DoS Hulk from ")
            webhook.opened.set()
            wait_until(lambda: _transport(client, "webhook")["delivered"] == 10)
        # A message that was taken but answered too late is sent again.
        assert len({json.loads(each.body)["ml_ids"]["alert_id"] for each in webhook.posted}) == 10
        assert all("X-ML-IDS-Signature" in each.headers for each in webhook.posted)


def test_events_go_where_alerts_go_and_are_no_attacks(
    serve: Any, state: dict[str, Any], queues: Queues, queue_keys: dict[str, Any]
) -> None:
    topic = queues.topic("events")
    attacks, events = queues.queue("events-attacks"), queues.queue("events-events")
    queues.subscribe(topic, attacks, {"prediction": ["attack"]})
    # What else this machine may tell, such as of a full disk, is not the test's.
    queues.subscribe(topic, events, {"kind": ["event"], "event": ["capture_down"]})
    options = {"start_cicflowmeter": "true", "cic_interface": "nosuch0", "ready": False}
    with serve(**state, **queue_keys, **options, aws_sns_predictions_topic=topic) as client:
        (notification,) = queues.receive(events, 1)
        health = client.get("/health").json()
    about = json.loads(notification["Message"])["ml_ids"]
    assert (about["event"], about["state"], about["sensor"]) == ("capture_down", "raised", "sensor-1")
    assert about["text"] in health["events"]["active"]
    assert queues.waiting(attacks) == 0


def test_the_stop_waits_for_no_server_that_hangs_and_the_next_start_delivers(
    serve: Any, state: dict[str, Any]
) -> None:
    with http_receiver() as webhook:
        webhook.opened.clear()
        with serve(**state, webhook_url=webhook.url) as client:
            client.post("/predict", json=_flow(5))
            wait_until(lambda: webhook.asked)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        webhook.opened.set()
        with serve(**state, webhook_url=webhook.url) as client:
            wait_until(lambda: _transport(client, "webhook")["delivered"] == 1)
        assert len({each.headers["X-ML-IDS-Message-Id"] for each in webhook.posted}) == 1


def test_what_a_queue_that_is_down_missed_arrives_once_it_is_back(
    serve: Any,
    state: dict[str, Any],
    queue_keys: dict[str, Any],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    port = free_port()
    queue = f"http://127.0.0.1:{port}/{ACCOUNT}/late"
    endpoint = {"aws_endpoint_url_sqs": None}
    with serve(**(state | queue_keys | endpoint), sqs_queue_url=queue) as client:
        for _ in range(3):
            assert client.post("/predict", json=[_flow(5)] * 40).status_code == 200
        wait_until(lambda: _transport(client, "sqs")["failures"])
        assert "Could not connect" in _transport(client, "sqs")["error"]
        assert any("sqs: " in reason for reason in client.get("/health").json()["reasons"])
        with queue_server(request.config, tmp_path, port) as late:
            assert late.queue("late") == queue
            received = late.receive(queue, 120)
            wait_until(lambda: _transport(client, "sqs")["delivered"] == 120)
        assert _transport(client, "sqs")["pending"] == 0
    assert len({each["MessageId"] for each in received}) == 120
