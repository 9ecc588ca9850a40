from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from flows.csv_files import read_csv
from flows.schema import COMMON_NAMES
from helpers.book import opening, written
from helpers.models import typical_flow
from helpers.server import serving, wait_until
from inference_server.cli import app as command
from inference_server.main import create_app
from inference_server.routes.alert_models import Alert, AlertInFull, Statistics, Top
from inference_server.service import Service
from inference_server.settings import load_settings
from training.sources.read import read_training_data

SETTINGS: dict[str, Any] = {
    "start_cicflowmeter": "false",
    "sensor_id": "sensor-1",
    "demo": False,
    "flow_archive_gb": 0,
}
PCAP = b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + bytes(16)


class Running:
    """A service with alerts, and a client of it."""

    def __init__(self, client: httpx.Client, service: Service) -> None:
        self.client = client
        self.service = service

    def alerts(self, **params: Any) -> list[dict[str, Any]]:
        answer = self.client.get("/api/alerts", params=params)
        assert answer.status_code == 200, answer.text
        alerts: list[dict[str, Any]] = answer.json()["alerts"]
        return alerts

    def post(self, alert_id: str, what: str, **body: Any) -> httpx.Response:
        return self.client.post(f"/api/alerts/{alert_id}/{what}", json=body or None)


@pytest.fixture(scope="module")
def running(champion_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    state = tmp_path_factory.mktemp("var")
    shutil.copytree(champion_state, state, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.db*"))
    shutil.copy(champion_state / "mlflow.db", state)
    settings = load_settings(state_dir=state, log_dir=tmp_path_factory.mktemp("logs"), **SETTINGS)
    app = create_app(settings)
    with serving(app) as client:
        service: Service = app.state.service
        wait_until(lambda: client.get("/ready").status_code == 200)
        service.alert_book.take(opening(["203.0.113.7", "203.0.113.8", "2606:4700::1"], [5, 5, 17]))
        client.post("/predict", json=[typical_flow(5), typical_flow(17), typical_flow(0)])
        wait_until(lambda: service.alert_book.status().offered == 5)
        written(service.alert_book)
        yield Running(client, service)


def test_alerts_are_listed_newest_first_in_pages(running: Running) -> None:
    every = running.alerts()
    assert [Alert.model_validate(alert).id for alert in every] == [alert["id"] for alert in every]
    assert len(every) == 5
    pages, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = running.client.get("/api/alerts", params=params).json()
        pages.append(page["alerts"])
        cursor = page["cursor"]
        if cursor is None:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [alert for page in pages for alert in page] == every


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"label": "DoS attacks-Hulk"}, 3),
        ({"label": ["5", "17"]}, 5),
        ({"severity": 3}, 2),
        ({"severity": [1, 2]}, 3),
        ({"address": "203.0.113.0/24"}, 2),
        ({"address": "10.0.0.2"}, 3),
        ({"address": "2606::/16"}, 1),
        ({"state": "open"}, 3),
        ({"state": "closed"}, 2),
        ({"text": "hulk 203.0.113.7"}, 1),
        ({"text": "API"}, 2),
        ({"since": "2026-01-01T00:00:00Z"}, 5),
        ({"until": "2026-01-01T00:00:00+02:00"}, 0),
        ({"label": "Portscan", "severity": 2}, 0),
    ],
)
def test_filters(running: Running, params: dict[str, Any], found: int) -> None:
    assert len(running.alerts(**params)) == found


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("alerts?severity=4", "severity"),
        ("alerts?label=Teapot", "label"),
        ("alerts?address=10.0.0.1/8", "address"),
        ("alerts?since=yesterday", "since"),
        ("alerts?since=2026-01-01T00:00:00", "since"),
        ("alerts?since=0001-01-01T00:00:00Z", "since"),
        ("alerts?state=ajar", "state"),
        ("alerts?acknowledged=perhaps", "acknowledged"),
        ("alerts?limit=0", "limit"),
        ("alerts?cursor=nonsense", "cursor"),
        ("alerts?colour=red", "colour"),
        ("alerts/top?n=0", "n"),
        ("statistics?buckets=0", "buckets"),
        ("statistics?since=2026-02-01T00:00:00Z&until=2026-01-01T00:00:00Z", "since"),
        ("blocklist?severity=0", "severity"),
        ("blocklist?hours=-1", "hours"),
        ("labels?format=xlsx", "format"),
        ("labels?dialect=klingon", "dialect"),
    ],
)
def test_a_parameter_that_is_none_is_named(running: Running, path: str, named: str) -> None:
    answer = running.client.get(f"/api/{path}")
    assert answer.status_code == 422
    assert named in str(answer.json()["detail"])


def test_an_alert_in_full(running: Running) -> None:
    (alert,) = running.alerts(text="203.0.113.7")
    found = AlertInFull.model_validate(running.client.get(f"/api/alerts/{alert['id']}").json())
    assert found.eve["ml_ids"]["alert_id"] == alert["id"]
    assert found.evidence is None
    assert running.client.get("/api/alerts/no-such-alert").json() == {
        "detail": "no alert has the id no-such-alert"
    }


def test_evidence_is_a_capture_and_no_path_of_the_callers(running: Running) -> None:
    alert = running.alerts(text="203.0.113.8")[0]["id"]
    folder = running.service.settings.log_dir / "evidence"
    folder.mkdir(exist_ok=True)
    missing = running.client.get(f"/api/alerts/{alert}/evidence")
    assert missing.status_code == 404
    assert "has no evidence" in missing.json()["detail"]
    (folder / f"{alert}.pcap").write_bytes(PCAP)
    (folder.parent / "secret.pcap").write_bytes(b"secret")
    found = running.client.get(running.client.get(f"/api/alerts/{alert}").json()["evidence"])
    assert found.content == PCAP
    assert found.headers["content-type"] == "application/vnd.tcpdump.pcap"
    assert f'filename="{alert}.pcap"' in found.headers["content-disposition"]
    for path in ("..%2Fsecret", "..", "%2Fetc%2Fpasswd", f"{alert}%00"):
        assert running.client.get(f"/api/alerts/{path}/evidence").status_code == 404


def test_alerts_are_acknowledged(running: Running) -> None:
    alert = running.alerts(text="2606:4700::1")[0]
    answer = running.post(alert["id"], "acknowledge")
    assert answer.status_code == 200
    assert answer.json()["acknowledged"]
    assert answer.json()["seq"] > alert["seq"]
    assert alert["id"] in [each["id"] for each in running.alerts(acknowledged=True)]
    assert alert["id"] not in [each["id"] for each in running.alerts(acknowledged=False)]
    assert running.post("no-such-alert", "acknowledge").status_code == 404


def test_labels_are_refused_with_a_reason(running: Running) -> None:
    alert = running.alerts()[0]["id"]
    assert running.post("no-such-alert", "label", verdict="false_positive").status_code == 404
    for body, said in (
        ({"verdict": "perhaps"}, "verdict"),
        ({"verdict": "true_positive", "label": "Teapot"}, "label: unknown label 'Teapot'"),
        ({"verdict": "true_positive", "colour": "red"}, "colour"),
        ({"verdict": "false_positive", "label": "Bot"}, "leave the class out"),
    ):
        answer = running.post(alert, "label", **body)
        assert answer.status_code == 422
        assert said in str(answer.json()["detail"])


def test_labelled_flows_are_what_training_and_evaluation_read(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hulk, scan = (running.alerts(text=f"{name} api")[0]["id"] for name in ("hulk", "portscan"))
    running.post(hulk, "label", verdict="true_positive", label="DoS GoldenEye", note="with, comma")
    running.post(scan, "label", verdict="false_positive")
    answer = running.client.get("/api/labels")
    assert answer.headers["x-flows"] == "2"
    assert answer.headers["x-flows-left-out"] == "0"
    (tmp_path / "labels.parquet").write_bytes(answer.content)
    read = read_training_data([tmp_path / "labels.parquet"])
    assert sorted(read.codes.tolist()) == [0, 4]
    for code, sent in ((4, 5), (0, 17)):
        (row,) = np.flatnonzero(read.codes == code)
        assert dict(zip(read.names, read.features[row].tolist(), strict=True)) == typical_flow(sent)

    (tmp_path / "labels.csv").write_bytes(running.client.get("/api/labels?format=csv").content)
    table = read_csv(tmp_path / "labels.csv")
    assert table.extras["label"].tolist() == ["DoS GoldenEye", "Benign"]
    assert table.extras["note"].tolist() == ["with, comma", ""]
    assert table.select(COMMON_NAMES).tolist() == [list(typical_flow(code).values()) for code in (5, 17)]

    monkeypatch.setenv("STATE_DIR", str(running.service.settings.state_dir))
    for name in ("labels.parquet", "labels.csv"):
        report = tmp_path / f"{name}.json"
        result = CliRunner().invoke(command, ["evaluate", str(tmp_path / name), "-o", str(report)])
        assert result.exit_code == 0, result.output
        assert '"DoS GoldenEye"' in report.read_text()


def test_labelled_flows_of_another_dialect_are_counted_not_given(running: Running) -> None:
    (alert,) = running.alerts(text="203.0.113.8")
    running.post(alert["id"], "label", verdict="true_positive")
    answer = running.client.get("/api/labels", params={"dialect": "cic-v4", "format": "csv"})
    assert answer.headers["x-flows"] == "0"
    assert int(answer.headers["x-flows-left-out"]) >= 1
    assert answer.text.count("\n") == 1


def test_statistics_and_the_top(running: Running) -> None:
    found = Statistics.model_validate(running.client.get("/api/statistics?buckets=3").json())
    assert found.total.alerts == 5
    assert sum(bucket.alerts for bucket in found.buckets) == 5
    assert found.total.by_label == {"DoS Hulk": 3, "Portscan": 2}
    top = Top.model_validate(running.client.get("/api/alerts/top?n=2").json())
    assert [each.address for each in top.targets] == ["10.0.0.2"]
    assert len(top.sources) == 2


def test_the_block_list_is_for_a_firewall_to_poll(running: Running) -> None:
    answer = running.client.get("/api/blocklist?severity=2")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines()[:1] == ["203.0.113.7/32"]
    assert running.client.get("/api/blocklist").text == ""
    again = running.client.get("/api/blocklist?severity=2", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert running.client.get("/api/blocklist?severity=3&source=api").text == ""


def test_who_may(champion_state: Path, tmp_path: Path) -> None:
    keys = "looker:read:r,analyst:predict:p"
    settings = load_settings(state_dir=tmp_path / "var", log_dir=tmp_path / "logs", api_keys=keys, **SETTINGS)
    app = create_app(settings)
    with serving(app) as client:
        service: Service = app.state.service
        service.alert_book.take(opening(["203.0.113.7"]))
        (alert,) = service_alerts(service)
        path = f"/api/alerts/{alert}"

        def status(method: str, path: str, key: str | None) -> int:
            headers = {"X-API-Key": key} if key else {}
            body = {"verdict": "false_positive"} if path.endswith("label") else None
            return client.request(method, path, headers=headers, json=body).status_code

        for route in (
            "/api/alerts",
            path,
            "/api/alerts/top",
            "/api/statistics",
            "/api/blocklist",
            "/api/labels",
        ):
            assert (status("GET", route, None), status("GET", route, "r")) == (401, 200)
        for action in ("acknowledge", "label"):
            tried = [status("POST", f"{path}/{action}", key) for key in (None, "r", "p")]
            assert tried == [401, 403, 200]
        seen = client.get(path, headers={"X-API-Key": "r"}).json()
        assert (seen["acknowledged_by"], seen["feedback"]["who"]) == ("analyst", "analyst")


def service_alerts(service: Service) -> list[str]:
    from helpers.book import all_alerts

    return [alert["id"] for alert in all_alerts(written(service.alert_book))]
