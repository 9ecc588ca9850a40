from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from detection.mlflow_client import embedded_uri
from helpers.sensors import STREAM, captured_table, logged, logged_uids, report, send
from helpers.server import wait_until

Start = Callable[..., AbstractContextManager[httpx.Client]]
OTHER_STREAM = "2" * 32


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def start(serve: Start, champion_state: Path, tmp_path: Path, logs: Path) -> Start:
    """Run a central service whose state and logs stay from one start to the next."""

    def starting(**settings: Any) -> AbstractContextManager[httpx.Client]:
        defaults = {"state_dir": tmp_path / "var", "mlflow_tracking_uri": embedded_uri(champion_state)}
        return serve(**defaults, log_dir=logs, log_negative_predictions=True, sensor_id="central", **settings)

    return starting


def sensor_of(client: httpx.Client, name: str = "edge-1") -> dict[str, Any]:
    (found,) = [each for each in client.get("/api/sensors").json() if each["sensor"] == name]
    return dict(found)


def test_a_sensors_flows_are_judged_logged_and_alerted_of_in_its_name(start: Start, logs: Path) -> None:
    with start(publish_mode="alert") as client:
        answer = send(client, captured_table([0, 5, 5]), 1, age_seconds=2.5)
        assert (answer.status_code, answer.json()) == (200, {"taken": True, "host_context": False})
        assert [line["label"] for line in logged(logs)] == ["DoS Hulk", "DoS Hulk", "benign"]
        line = logged(logs)[0]
        wait_until(lambda: client.get("/api/alerts").json()["alerts"])
        (alert,) = client.get("/api/alerts").json()["alerts"]
        known = sensor_of(client)
    assert (line["sensor"], line["source"], line["interface"]) == ("edge-1", "sidecar", "eth0")
    assert (line["src_ip"], line["dst_port"], line["flow_uid"]) == ("203.0.113.7", 80, "0" * 15 + "1")
    assert (alert["label"], alert["sensor"]) == ("DoS Hulk", "edge-1")
    assert (known["flows"], known["batches"], known["attacks"], known["state"]) == (3, 1, 2, "ok")
    assert known["lag_seconds"] > 2.5


def test_a_batch_that_comes_again_is_not_judged_again(start: Start, logs: Path) -> None:
    first, second = captured_table([5, 0]), captured_table([5, 0], first_uid=2)
    with start() as client:
        assert send(client, first, 3).json()["taken"]
        assert not send(client, first, 3).json()["taken"]
        assert send(client, second, 7).json()["taken"]
        assert not send(client, first, 3).json()["taken"]
        assert sensor_of(client)["repeated"] == 2
    with start() as client:
        assert not send(client, second, 7).json()["taken"]
        assert (sensor_of(client)["flows"], sensor_of(client)["batches"]) == (4, 2)
        # A sensor that lost its spool counts from 1 again, in another stream.
        assert send(client, captured_table([5], first_uid=9), 1, stream=OTHER_STREAM).json()["taken"]
        assert sensor_of(client)["streams"] == 2
    assert logged_uids(logs) == dict.fromkeys([("edge-1", uid) for uid in (0, 1, 2, 3, 9)], 1)


def test_what_was_logged_when_a_kill_came_before_the_mark_is_not_logged_again(
    start: Start, logs: Path, tmp_path: Path
) -> None:
    with start() as client:
        send(client, captured_table([5, 0]), 1)
        send(client, captured_table([5, 0, 0], first_uid=2), 2)
    with sqlite3.connect(tmp_path / "var" / "sensors.db") as marks:
        marks.execute("UPDATE streams SET seq = 1")
    lines = (logs / "negative_predictions.log").read_text().splitlines(keepends=True)
    (logs / "negative_predictions.log").write_text("".join(lines[:-1]) + '{"torn')
    with start() as client:
        assert send(client, captured_table([5, 0, 0], first_uid=2), 2).json()["taken"]
        assert send(client, captured_table([5, 0, 0], first_uid=5), 3).json()["taken"]
        assert client.get("/health").json()["sensors"]["skipped"] == 2
    whole = (logs / "negative_predictions.log").read_text().replace('{"torn\n', "")
    (logs / "negative_predictions.log").write_text(whole)
    assert logged_uids(logs) == dict.fromkeys([("edge-1", uid) for uid in range(8)], 1)


def test_reports_say_how_a_sensor_is(start: Start) -> None:
    with start() as client:
        now = time.time_ns() // 1000
        assert report(client, sent_us=now + 90_000_000).json() == {"taken": False, "host_context": False}
        known = sensor_of(client)
        assert (known["state"], known["version"], known["flows"]) == ("ok", "1.0", 0)
        assert known["clock_offset_seconds"] == pytest.approx(90, abs=30)
        report(client, waiting_flows=7, oldest_seconds=400.0, dropped={"spool full": 5})
        known = sensor_of(client)
        assert (known["state"], known["waiting_flows"], known["dropped"]) == ("behind", 7, {"spool full": 5})
        report(client, interfaces_down=1)
        assert sensor_of(client)["state"] == "capture down"
        assert report(client, sensor="").status_code == 422


@pytest.mark.parametrize(
    ("settings", "query", "status"),
    [
        ({}, {"sensor": "edge-2"}, 422),
        ({}, {"stream": "x"}, 422),
        ({}, {"seq": 0}, 422),
        ({"sensor_id": "edge-1"}, {}, 409),
        ({"max_body_mb": 0.0001}, {}, 413),
    ],
)
def test_what_cannot_be_taken_is_refused_and_marks_nothing(
    serve: Start, champion_state: Path, tmp_path: Path, settings: Any, query: Any, status: int
) -> None:
    own = {"state_dir": tmp_path, "mlflow_tracking_uri": embedded_uri(champion_state)}
    with serve(**own | settings) as client:
        refused = send(client, captured_table([5]), **{"seq": 1} | query)
        assert (refused.status_code, "detail" in refused.json()) == (status, True)
        assert sum(each["flows"] for each in client.get("/api/sensors").json()) == 0


def test_flows_the_model_cannot_read_wait_at_the_sensor(start: Start) -> None:
    table = captured_table([5])
    with start() as client:
        java = type(table)(**{name: getattr(table, name) for name in table.__slots__} | {"dialect": "cic-v4"})
        refused = send(client, java, 1)
        assert (refused.status_code, "reads dialect improved" in refused.json()["detail"]) == (409, True)
        assert client.get("/health").json()["sensors"]["refused"] == {"conflict": 1}
        assert send(client, table, 1).json()["taken"]


def test_without_a_model_nothing_is_taken(serve: Start, tmp_path: Path) -> None:
    registry = embedded_uri(tmp_path / "registry")
    with serve(ready=False, state_dir=tmp_path, mlflow_tracking_uri=registry) as client:
        refused = send(client, captured_table([5]), 1)
        assert (refused.status_code, "Model not available" in refused.json()["detail"]) == (503, True)


def test_a_key_of_role_predict_sends_and_one_of_role_read_looks(start: Start) -> None:
    with start(api_keys="edge:predict:key-of-edge,siem:read:key-of-siem") as client:
        assert send(client, captured_table([5]), 1).status_code == 401
        client.headers["X-API-Key"] = "key-of-siem"
        assert send(client, captured_table([5]), 1).status_code == 403
        assert report(client).status_code == 403
        client.headers["X-API-Key"] = "key-of-edge"
        assert send(client, captured_table([5]), 1).status_code == 200
        client.headers["X-API-Key"] = "key-of-siem"
        assert sensor_of(client)["key"] == "edge"


def test_marks_that_cannot_be_written_are_told_and_the_batch_is_logged_once(
    start: Start, logs: Path, tmp_path: Path
) -> None:
    with start() as client:
        send(client, captured_table([5]), 1)
        with sqlite3.connect(tmp_path / "var" / "sensors.db") as marks:
            marks.execute("ALTER TABLE streams RENAME TO elsewhere")
        refused = send(client, captured_table([5], first_uid=1), 2)
        assert (refused.status_code, "cannot be marked as taken" in refused.json()["detail"]) == (503, True)
        assert any("sensors.db" in reason for reason in client.get("/health").json()["reasons"])
        with sqlite3.connect(tmp_path / "var" / "sensors.db") as marks:
            marks.execute("ALTER TABLE elsewhere RENAME TO streams")
        assert not send(client, captured_table([5], first_uid=1), 2).json()["taken"]
    assert logged_uids(logs) == {("edge-1", 0): 1, ("edge-1", 1): 1}


def test_the_metrics_count_each_sensor(start: Start) -> None:
    with start() as client:
        send(client, captured_table([0, 5]), 1)
        send(client, captured_table([0, 5]), 1)
        report(client, waiting_flows=7, dropped={"spool full": 5}, stream=STREAM)
        text = client.get("/metrics").text
    for line in (
        'mlids_sensor_flows_total{sensor="edge-1"} 2.0',
        'mlids_sensor_batches_repeated_total{sensor="edge-1"} 1.0',
        'mlids_sensor_flows_dropped_total{sensor="edge-1"} 5.0',
        'mlids_sensor_waiting_flows{sensor="edge-1"} 7.0',
        'mlids_sensor_up{sensor="edge-1"} 1.0',
    ):
        assert line in text
