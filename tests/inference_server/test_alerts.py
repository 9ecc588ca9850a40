from __future__ import annotations

import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from capture.files import read_capture
from capture.interfaces import may_capture
from capture.options import CaptureOptions
from capture.rules import LiveRules
from capture.sidecar import Sidecar
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.alerts import attacks, validated
from helpers.book import all_alerts
from helpers.flows import flow_table, verdicts_for
from helpers.models import typical_flow
from helpers.server import wait_until
from inference_server.alerts import Alerts
from inference_server.settings import load_settings


def _lines(directory: Path) -> list[dict[str, Any]]:
    path = directory / "alerts.json"
    return validated(path.read_text()) if path.exists() else []


def _unexplained(table: FlowTable, verdicts: Verdicts) -> tuple[None, ...]:
    return (None,) * len(table)


@pytest.mark.parametrize(
    ("mode", "source", "alerts"),
    [("alert", "sidecar", 1), ("alert", "demo", 1), ("alert", "api", 10), ("flow", "sidecar", 10)],
)
def test_what_is_aggregated(tmp_path: Path, mode: str, source: str, alerts: int) -> None:
    parts = Alerts(load_settings(log_dir=tmp_path, publish_mode=mode), _unexplained, lambda *_: 0)
    table = flow_table(10)
    parts.stream.take(table, verdicts_for(table, [17] * 10), source)
    parts.stream.close()
    parts.stop(1)
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
    for line in lines:
        explained = line["ml_ids"]["explanation"]
        moved = sum(feature["contribution"] for feature in explained["features"])
        assert explained["base"] + moved + explained["rest"] == pytest.approx(line["ml_ids"]["p_attack"])
    assert {(line["ml_ids"]["state"], line["ml_ids"]["sensor"]) for line in lines} == {("closed", "sensor-1")}


def test_the_demo_is_seen_in_its_alerts(tmp_path: Path) -> None:
    parts = Alerts(load_settings(log_dir=tmp_path), _unexplained, lambda *_: 0)
    table = flow_table(3, sensor="demo")
    parts.stream.take(table, verdicts_for(table, [17, 0, 17]), "demo")
    parts.stream.close()
    parts.stop(1)
    seen = [(line["ml_ids"]["sensor"], line["ml_ids"]["source"]) for line in _lines(tmp_path)]
    assert seen == [("demo", "demo")] * 2


def _exchange() -> int:
    """Have a connection over loopback; returns the client's port."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as server,
    ):
        client.sendall(b"question")
        assert server.recv(100) == b"question"
        return int(client.getsockname()[1])


@pytest.mark.skipif(not may_capture(), reason="capturing is not permitted here")
def test_the_packets_of_an_alert_are_evidence(tmp_path: Path) -> None:
    ports: list[int] = []

    def judge(table: FlowTable) -> int:
        ours = table.take(np.isin(table.src_port, ports))
        parts.stream.take(ours, verdicts_for(ours, [17] * len(ours)), "sidecar")
        return 0

    sidecar = Sidecar(
        ["lo"],
        judge,
        sensor="s",
        rules=LiveRules(linger_seconds=0.2),
        options=CaptureOptions(evidence_bytes=64 << 20),
    )
    parts = Alerts(load_settings(log_dir=tmp_path, sensor_id="s"), _unexplained, sidecar.evidence)
    parts.start()
    sidecar.start()
    try:
        # The kernels may have to be compiled first.
        wait_until(lambda: sidecar.status()[0].running, seconds=300)
        ports.append(_exchange())
        wait_until(lambda: len(_lines(tmp_path)) == 1)
        alert_id = _lines(tmp_path)[0]["ml_ids"]["alert_id"]
        wait_until((tmp_path / "evidence" / f"{alert_id}.pcap").exists)
        parts.stream.close()
    finally:
        sidecar.stop(10)
        parts.stop(10)
    opened, closed = _lines(tmp_path)
    assert "evidence" not in opened["ml_ids"]
    assert closed["ml_ids"]["evidence"] == f"{alert_id}.pcap"
    (table,) = read_capture(tmp_path / "evidence" / f"{alert_id}.pcap")
    assert table.src_port.tolist() == ports
    counted = closed["flow"]["pkts_toserver"] + closed["flow"]["pkts_toclient"]
    assert table.column("tot_fwd_pkts")[0] + table.column("tot_bwd_pkts")[0] == counted
    evidence = parts.status().evidence
    assert evidence is not None
    assert (evidence.written, evidence.files) == (1, 1)


def test_without_room_on_disk_there_is_no_evidence(tmp_path: Path) -> None:
    parts = Alerts(load_settings(log_dir=tmp_path, evidence_disk_mb=0), _unexplained, lambda *_: 0)
    table = flow_table(1)
    parts.stream.take(table, verdicts_for(table, [17]), "sidecar")
    parts.stream.close()
    parts.stop(1)
    assert parts.status().evidence is None
    assert not (tmp_path / "evidence").exists()
    assert len(_lines(tmp_path)) == 2


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
        "suppression rules: LOG_DIR/rules.yaml, line 1, rules: it suppresses everything; give source, "
        "destination, port, protocol or class; 1 earlier rules are in use"
    ]


def test_the_alert_book_has_every_alert_and_keeps_it(tmp_path: Path) -> None:
    settings = load_settings(log_dir=tmp_path / "logs", state_dir=tmp_path / "var")
    parts = Alerts(settings, _unexplained, lambda *_: 0)
    parts.start()
    parts.stream.take(*attacks(["203.0.113.1", "203.0.113.2"], [17, 5]), "sidecar")
    parts.stream.close()
    wait_until(lambda: parts.status().book.committed == 4)
    (hulk,) = all_alerts(parts.book, label="DoS Hulk")
    parts.book.acknowledge(hulk["id"], "eve")
    parts.stop(30)
    parts = Alerts(settings, _unexplained, lambda *_: 0)
    parts.start()
    wait_until(lambda: parts.status().book.alerts == 2)
    assert [alert["acknowledged"] for alert in all_alerts(parts.book)] == [True, False]
    parts.stop(30)


def test_what_is_ours_or_suppressed_is_never_blocked(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "rules: [{name: partner, source: 198.51.100.0/24, class: Bot}, {name: bots, class: Bot}]"
    )
    settings = load_settings(
        log_dir=tmp_path, state_dir=tmp_path, alert_rules=rules, own_networks="203.0.113.0/28, 10.0.0.0/8"
    )
    parts = Alerts(settings, _unexplained, lambda *_: 0)
    parts.start()
    sources = ["198.51.100.7", "203.0.113.1", "203.0.113.99", "192.168.0.9", "10.0.0.1"]
    parts.stream.take(*attacks(sources), "sidecar")
    wait_until(lambda: parts.status().book.committed == len(sources))
    blocked = parts.book.blocklist(3, timedelta(hours=1), ["sidecar"])
    parts.stop(30)
    assert [str(network) for network in blocked] == ["192.168.0.9/32", "203.0.113.99/32"]
