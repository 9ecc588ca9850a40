from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from helpers.alerts import validated
from helpers.flows import flow_table, verdicts_for
from helpers.models import typical_flow
from helpers.server import wait_until
from inference_server.alerts import Alerts
from inference_server.settings import load_settings


def _lines(directory: Path) -> list[dict[str, Any]]:
    path = directory / "alerts.json"
    return validated(path.read_text()) if path.exists() else []


@pytest.mark.parametrize(
    ("mode", "source", "alerts"),
    [("alert", "sidecar", 1), ("alert", "demo", 1), ("alert", "api", 10), ("flow", "sidecar", 10)],
)
def test_what_is_aggregated(tmp_path: Path, mode: str, source: str, alerts: int) -> None:
    parts = Alerts(load_settings(log_dir=tmp_path, publish_mode=mode))
    table = flow_table(10)
    parts.stream.take(table, verdicts_for(table, [17] * 10), source)
    parts.stream.close()
    parts.stop()
    closed = [line["ml_ids"] for line in _lines(tmp_path) if line["ml_ids"]["state"] == "closed"]
    assert len(closed) == alerts
    assert sum(line["count"] for line in closed) == 10
    assert {line["source"] for line in closed} == {source}
    assert parts.status().log.written == parts.status().stream.policy.messages


def test_ten_attack_rows_of_a_request_are_ten_lines(serve: Any, tmp_path: Path) -> None:
    with serve(log_dir=tmp_path) as client:
        answer = client.post("/predict", json=[typical_flow(5)] * 10 + [typical_flow(0)])
        assert answer.json()["prediction"] == [5] * 10 + [0]
    lines = _lines(tmp_path)
    assert len({line["ml_ids"]["alert_id"] for line in lines}) == len(lines) == 10
    assert {(line["ml_ids"]["state"], line["ml_ids"]["sensor"]) for line in lines} == {("closed", "sensor-1")}


def test_the_demo_is_seen_in_its_alerts(tmp_path: Path) -> None:
    parts = Alerts(load_settings(log_dir=tmp_path))
    table = flow_table(3, sensor="demo")
    parts.stream.take(table, verdicts_for(table, [17, 0, 17]), "demo")
    parts.stream.close()
    parts.stop()
    seen = [(line["ml_ids"]["sensor"], line["ml_ids"]["source"]) for line in _lines(tmp_path)]
    assert seen == [("demo", "demo")] * 2


def test_suppressed_attacks_are_in_health(serve: Any, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: no hulks, class: DoS Hulk}]")
    with serve(log_dir=tmp_path, alert_rules=rules) as client:
        client.post("/predict", json=[typical_flow(5), typical_flow(17)])
        wait_until(lambda: client.get("/health").json()["alerts"]["suppressed"] == {"no hulks": 1})
        rules.write_text("rules: [{name: no hulks}]")
        wait_until(lambda: client.get("/health").json()["status"] == "degraded")
        reasons = client.get("/health").json()["reasons"]
    assert [line["ml_ids"]["label"] for line in _lines(tmp_path)] == ["Portscan"]
    assert reasons == [
        f"suppression rules: {rules}, line 1, rules: it suppresses everything; give source, destination, "
        "port, protocol or class; 1 earlier rules are in use"
    ]
