from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from alerting.alert_log import NAME as ALERTS
from alerting.alert_log import AlertLog
from alerting.alert_stream import AlertStream
from alerting.policy import AlertPolicy
from alerting.prediction_log import POSITIVE, PredictionLog
from alerting.sink import Sink
from helpers.alerts import validated
from helpers.flows import flow_table, verdicts_for
from helpers.server import wait_until


def _put(sink: Sink, codes: list[int], source: str = "sidecar") -> None:
    table = flow_table(len(codes))
    sink.put(table, verdicts_for(table, codes), source)


def _ports(directory: Path) -> list[int]:
    return [json.loads(line)["src_port"] for line in (directory / POSITIVE).read_text().splitlines()]


def test_what_was_put_is_written_in_order_before_the_end(tmp_path: Path) -> None:
    sink = Sink(PredictionLog(tmp_path))
    sink.start()
    for _ in range(50):
        _put(sink, [17, 0, 5])
    sink.stop(30)
    assert _ports(tmp_path) == [40000, 40002] * 50
    status = sink.status()
    assert (status.running, status.queued, status.dropped, status.restarts) == (False, 0, 0, 0)
    assert status.verdicts == {
        ("sidecar", "Portscan"): 50,
        ("sidecar", "benign"): 50,
        ("sidecar", "DoS Hulk"): 50,
    }


def test_a_full_queue_drops_and_counts_flows(tmp_path: Path) -> None:
    sink = Sink(PredictionLog(tmp_path), max_flows=5)
    _put(sink, [17] * 4)
    _put(sink, [0] * 100)
    _put(sink, [17] * 4)
    _put(sink, [17])
    assert (sink.status().queued, sink.status().dropped) == (5, 4)
    sink.start()
    sink.stop(30)
    assert _ports(tmp_path) == [40000, 40001, 40002, 40003, 40000]
    assert sink.status().verdicts["sidecar", "Portscan"] == 9


class _FailingLog(PredictionLog):
    failures = 2

    def write(self, *arguments: Any) -> None:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("a defect")
        super().write(*arguments)


def test_a_failure_is_counted_and_survived(tmp_path: Path) -> None:
    sink = Sink(_FailingLog(tmp_path))
    sink.start()
    for number in range(4):
        _put(sink, [17] * (number + 1))
    wait_until(lambda: sink.status().queued == 0)
    status = sink.status()
    assert (status.running, status.restarts, status.dropped) == (True, 2, 3)
    sink.stop(30)
    assert len(_ports(tmp_path)) == 7


class _StuckLog(PredictionLog):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.release = threading.Event()

    def write(self, *arguments: Any) -> None:
        self.release.wait(30)


def test_a_disk_that_hangs_neither_blocks_put_nor_stop(tmp_path: Path) -> None:
    log = _StuckLog(tmp_path)
    sink = Sink(log, max_flows=2)
    sink.start()
    for _ in range(5):
        _put(sink, [17])
    sink.stop(0.05)
    assert sink.status().dropped == 3
    log.release.set()


def _alerted(directory: Path) -> list[tuple[int, str]]:
    text = (directory / ALERTS).read_text()
    return [(line["ml_ids"]["count"], line["ml_ids"]["state"]) for line in validated(text)]


def _stream(directory: Path, **options: Any) -> AlertStream:
    policy = AlertPolicy(aggregated={"sidecar"}, **options)
    return AlertStream(policy, {ALERTS: AlertLog(directory).write})


def test_attacks_become_alerts_which_the_stop_closes(tmp_path: Path) -> None:
    stream = _stream(tmp_path)
    sink = Sink(PredictionLog(tmp_path), stream)
    sink.start()
    for _ in range(20):
        _put(sink, [17, 0, 17])
    sink.stop(30)
    assert _alerted(tmp_path) == [(1, "open"), (40, "closed")]
    assert stream.status().policy.taken + sink.status().unalerted == 40


def test_second_opinions_are_alerts_and_nothing_else(tmp_path: Path) -> None:
    sink = Sink(PredictionLog(tmp_path), _stream(tmp_path))
    sink.start()
    sink.alert(table := flow_table(2), verdicts_for(table, [37, 37]), "sidecar")
    _put(sink, [17])
    sink.stop(30)
    assert _alerted(tmp_path) == [(1, "open"), (1, "open"), (2, "closed"), (1, "closed")]
    assert len(_ports(tmp_path)) == 1
    assert sink.status().verdicts == {("sidecar", "Portscan"): 1}
    assert sink.status().queued == 0


def test_second_opinions_there_is_no_room_for_are_unalerted_and_no_lost_lines(tmp_path: Path) -> None:
    sink = Sink(PredictionLog(tmp_path), _stream(tmp_path), max_flows=1)
    sink.alert(table := flow_table(3), verdicts_for(table, [37] * 3), "sidecar")
    assert (sink.status().unalerted, sink.status().dropped) == (2, 0)


def test_alerts_are_closed_while_no_flow_comes(tmp_path: Path) -> None:
    sink = Sink(PredictionLog(tmp_path), _stream(tmp_path, window=0.2))
    sink.start()
    _put(sink, [17])
    wait_until(lambda: (tmp_path / ALERTS).exists() and len(_alerted(tmp_path)) == 2)
    sink.stop(30)
    assert _alerted(tmp_path) == [(1, "open"), (1, "closed")]


def test_attacks_that_no_alert_heard_of_are_counted(tmp_path: Path) -> None:
    stream = _stream(tmp_path)
    sink = Sink(PredictionLog(tmp_path), stream, max_flows=5)
    _put(sink, [17, 0, 17, 17])
    _put(sink, [17] * 4)
    sink.start()
    sink.stop(30)
    assert (stream.status().policy.taken, sink.status().unalerted) == (5, 2)


class _FailingStream(AlertStream):
    def take(self, *arguments: Any) -> None:
        raise RuntimeError("a defect")


def test_alerts_that_fail_leave_the_logs_whole(tmp_path: Path) -> None:
    sink = Sink(PredictionLog(tmp_path), _FailingStream(AlertPolicy(), {}))
    sink.start()
    _put(sink, [17, 0, 5])
    wait_until(lambda: sink.status().restarts)
    sink.stop(30)
    assert _ports(tmp_path) == [40000, 40002]
    assert (sink.status().unalerted, sink.status().dropped) == (2, 0)


def test_stopping_what_never_ran(tmp_path: Path) -> None:
    sink = Sink(PredictionLog(tmp_path))
    sink.stop(1)
    assert not sink.status().running
