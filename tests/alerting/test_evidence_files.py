from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from alerting.alert import AlertRevision
from alerting.alert_flow import FlowSpan
from alerting.evidence_files import BURST, MAX_WAITING, EvidenceFiles
from alerting.policy import AlertPolicy
from flows.addresses import pack_address
from helpers.alerts import attacks, one_alert, taken
from helpers.server import wait_until


def _write(spans: Sequence[FlowSpan], path: Path) -> int:
    path.write_bytes(b"x" * 100)
    return len(spans)


@contextmanager
def _running(
    directory: Path, write: Callable[[Sequence[FlowSpan], Path], int] = _write, **options: Any
) -> Iterator[EvidenceFiles]:
    defaults = {"captured": "sidecar", "limit_bytes": 10_000, "delay": 0.0}
    files = EvidenceFiles(directory, write, **(defaults | options))
    files.start()
    try:
        yield files
    finally:
        files.stop(30)
        status = files.status()
        decided = status.written + status.no_packets + status.failed + sum(status.skipped.values())
        assert status.asked == decided + status.waiting
        assert status.waiting == 0
        assert (status.files, status.bytes) == (_count(directory), _size(directory))


def _count(directory: Path) -> int:
    return len(list(directory.glob("*.pcap")))


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("*.pcap"))


def test_a_file_of_the_first_flows_is_written_soon_after_the_opening(tmp_path: Path) -> None:
    asked: list[Sequence[FlowSpan]] = []

    def write(spans: Sequence[FlowSpan], path: Path) -> int:
        asked.append(spans)
        return _write(spans, path)

    policy = AlertPolicy(aggregated={"sidecar"})
    with _running(tmp_path / "evidence", write, delay=0.5) as files:
        (opened,) = taken(policy, *attacks(["10.0.0.1"] * 3))
        files.take([opened])
        files.take(taken(policy, *attacks(["10.0.0.1"] * 9)))
        assert files.name(opened.alert_id) is None
        wait_until(lambda: files.status().written)
        assert files.name(opened.alert_id) == f"{opened.alert_id}.pcap"
    (spans,) = asked
    assert [span.src_port for span in spans] == [40000, 40001, 40002, 40000, 40001]
    assert spans[0] == FlowSpan(
        *(pack_address("10.0.0.1"), 40000, pack_address("10.0.0.2"), 443, 6),
        *(1_499_432_400_401_000, 1_499_432_400_807_000),
    )
    assert stat.S_IMODE((tmp_path / "evidence").stat().st_mode) == 0o700


def test_only_captured_flows_that_open_have_evidence(tmp_path: Path) -> None:
    policy = AlertPolicy(aggregated={"sidecar"})
    with _running(tmp_path) as files:
        files.take([one_alert("demo"), one_alert("api")])
        (opened,) = taken(policy, *attacks(["10.0.0.1"]))
        files.take([opened])
        files.take(list(policy.close()))
    assert files.status().asked == 1


def test_the_oldest_files_make_room_those_of_earlier_runs_too(tmp_path: Path) -> None:
    for age, name in enumerate(["c.pcap", "b.pcap", "a.pcap"]):
        (tmp_path / name).write_bytes(b"x" * 100)
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / ".d.pcap.part").touch()
    with _running(tmp_path, limit_bytes=300) as files:
        files.take([one_alert()])
        wait_until(lambda: files.status().written)
        assert files.status().deleted == 1
    assert not (tmp_path / "a.pcap").exists()
    assert not (tmp_path / ".d.pcap.part").exists()
    with _running(tmp_path, max_files=1) as files:
        wait_until(lambda: files.status().deleted == 2)


def test_a_file_that_somebody_removed_is_no_error(tmp_path: Path) -> None:
    with _running(tmp_path, limit_bytes=100) as files:
        files.take([one_alert()])
        wait_until(lambda: files.status().written)
        for path in tmp_path.iterdir():
            path.unlink()
        files.take([one_alert()])
        wait_until(lambda: files.status().written == 2)
        assert (files.status().deleted, files.status().failed) == (1, 0)


def test_packets_that_are_not_kept_any_more_are_counted(tmp_path: Path) -> None:
    with _running(tmp_path, lambda *_: 0) as files:
        files.take([one_alert()])
        wait_until(lambda: files.status().no_packets == 1)
    assert list(tmp_path.iterdir()) == []


def test_a_flood_of_alerts_has_evidence_within_the_budget(tmp_path: Path) -> None:
    release = threading.Event()

    def write(spans: Sequence[FlowSpan], path: Path) -> int:
        release.wait(30)
        return _write(spans, path)

    with _running(tmp_path, write, limit_bytes=10**9) as files:
        files.take([one_alert() for _ in range(300)])
        status = files.status()
        assert status.asked == 300
        assert BURST <= status.waiting <= MAX_WAITING
        assert status.skipped["over budget"] == 300 - status.waiting
        release.set()


def test_what_the_stop_cannot_wait_for_is_counted(tmp_path: Path) -> None:
    files = EvidenceFiles(tmp_path, _write, captured="sidecar", limit_bytes=1000, delay=3600)
    files.take([one_alert(), one_alert()])
    files.stop(0.1)
    files.take([one_alert()])
    status = files.status()
    assert (status.skipped, status.waiting, status.running) == ({"stopped": 3}, 0, False)


def test_what_waits_is_written_at_the_stop(tmp_path: Path) -> None:
    with _running(tmp_path, delay=3600) as files:
        files.take([one_alert(), one_alert()])
    assert files.status().written == 2


def test_a_disk_that_fails_is_said_and_survived(tmp_path: Path) -> None:
    directory = tmp_path / "evidence"
    directory.touch()
    with _running(directory) as files:
        files.take([one_alert()])
        wait_until(lambda: files.status().failed == 1)
        error = files.status().error
        assert error is not None
        assert error.endswith("or set EVIDENCE_DISK_MB=0")
        directory.unlink()
        files.take([one_alert()])
        wait_until(lambda: files.status().written == 1)
        assert (files.status().running, files.status().error) == (True, None)


def test_a_defect_costs_one_file(tmp_path: Path) -> None:
    defects: list[Any] = [RuntimeError("a defect")]

    def write(spans: Sequence[FlowSpan], path: Path) -> int:
        if defects:
            raise defects.pop()
        return _write(spans, path)

    with _running(tmp_path, write) as files:
        files.take([one_alert(), one_alert()])
        wait_until(lambda: files.status().written == 1)
        assert files.status().failed == 1


@pytest.mark.parametrize("times", [1, 2])
def test_stopping_what_never_ran(tmp_path: Path, times: int) -> None:
    files = EvidenceFiles(tmp_path, _write, captured="sidecar", limit_bytes=1000)
    for _ in range(times):
        files.stop(1)
    alerts: list[AlertRevision] = []
    files.take(alerts)
    assert files.status().asked == 0
