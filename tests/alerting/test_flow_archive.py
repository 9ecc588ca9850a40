from __future__ import annotations

import threading

import numpy as np
import pytest

from alerting.flow_archive import FlowArchive
from flows.archive import archived_hours, read_archive
from flows.table import concat_tables
from helpers.flows import flow_table, verdicts_for
from helpers.server import wait_until

GIGABYTE = 10**9
TWO_O_CLOCK = 1795269600.0


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now=TWO_O_CLOCK):
        self.now = now

    def __call__(self):
        return self.now


def put(archive, n=1, **columns):
    table = flow_table(n, **columns)
    archive.put(table, verdicts_for(table))


def archived(directory):
    return concat_tables(read_archive(directory))


def test_flows_are_archived_with_what_was_thought_of_them(tmp_path):
    archive = FlowArchive(tmp_path / "flows", GIGABYTE)
    table = flow_table(3)
    insufficient = np.array([False, False, True])
    verdicts = verdicts_for(
        table, [5, 0, 0], insufficient=insufficient, p_attack=np.array([0.9, 0.1, np.nan])
    )
    archive.start()
    archive.put(table, verdicts)
    archive.stop(30)
    read = archived(tmp_path / "flows")
    np.testing.assert_array_equal(read.features, table.features)
    assert (read.dialect, read.sensor, read.interface) == ("improved", "test", "")
    assert {name: values.tolist() for name, values in read.extras.items() if name != "p_attack"} == {
        "verdict": ["DoS Hulk", "benign", "insufficient"],
        "verdict_code": [5, 0, 0],
        "threshold": [0.5] * 3,
        "model_name": ["ml-ids"] * 3,
        "model_version": ["7"] * 3,
        "interface": ["veth0"] * 3,
    }
    np.testing.assert_array_equal(read.extras["p_attack"], verdicts.p_attack)
    status = archive.status()
    assert (status.written, status.dropped, status.queued, status.error) == (3, {}, 0, None)
    assert (status.contents.files, status.contents.oldest) == (1, archived_hours(tmp_path / "flows")[0].hour)


def test_interfaces_share_files_and_dialects_do_not(tmp_path):
    archive = FlowArchive(tmp_path, GIGABYTE, clock=Clock())
    for dialect in ("improved", "cic-v4"):
        for interface in ("eth0", "eth1"):
            put(archive, dialect=dialect, interface=interface)
    archive.start()
    archive.stop(30)
    assert [hour.number for hour in archived_hours(tmp_path)] == [1, 2]
    assert [(table.dialect, table.extras["interface"].tolist()) for table in read_archive(tmp_path)] == [
        ("improved", ["eth0", "eth1"]),
        ("cic-v4", ["eth0", "eth1"]),
    ]


def test_flows_are_written_when_enough_wait(tmp_path):
    archive = FlowArchive(tmp_path, GIGABYTE, part_flows=10, part_seconds=3600)
    archive.start()
    put(archive, 9)
    put(archive, 9)
    wait_until(lambda: archive.status().written == 18)
    put(archive, 9)
    assert archive.status().queued == 9
    archive.stop(30)
    assert archive.status().written == 27


def test_flows_are_written_when_they_waited_long_enough(tmp_path):
    archive = FlowArchive(tmp_path, GIGABYTE, part_seconds=0.05)
    archive.start()
    put(archive)
    wait_until(lambda: archive.status().written == 1)
    archive.stop(30)


def test_an_hour_is_put_together_when_it_is_over(tmp_path):
    clock = Clock()
    archive = FlowArchive(tmp_path, GIGABYTE, part_flows=2, clock=clock)
    archive.start()
    for _ in range(3):
        put(archive, 2)
        wait_until(lambda: archive.status().queued == 0)
    clock.now += 3600
    put(archive, 2)
    wait_until(lambda: archive.status().queued == 0)
    archive.stop(30)
    assert sorted(path.name for path in tmp_path.glob("2*")) == ["2026-11-21T14.parquet", "2026-11-21T15"]
    assert len(archived(tmp_path)) == 8


def test_an_hour_is_put_together_also_when_no_flow_comes(tmp_path):
    clock = Clock(TWO_O_CLOCK + 3599.9)
    archive = FlowArchive(tmp_path, GIGABYTE, part_flows=1, clock=clock)
    archive.start()
    put(archive)
    wait_until(lambda: archive.status().written)
    clock.now += 0.2
    wait_until((tmp_path / "2026-11-21T14.parquet").exists)
    archive.stop(30)


def test_flows_of_two_hours_are_kept_apart(tmp_path):
    clock = Clock()
    archive = FlowArchive(tmp_path, GIGABYTE, clock=clock)
    put(archive)
    clock.now += 3600
    put(archive)
    archive.start()
    archive.stop(30)
    assert [hour.hour for hour in archived_hours(tmp_path)] == ["2026-11-21T14", "2026-11-21T15"]


def test_a_full_queue_drops_and_counts_the_last_flows(tmp_path):
    archive = FlowArchive(tmp_path, GIGABYTE, capacity=5)
    put(archive, 4)
    put(archive, 4)
    put(archive, 4)
    assert (archive.status().queued, archive.status().dropped) == (5, {"queue full": 7})
    archive.start()
    archive.stop(30)
    assert archived(tmp_path).src_port.tolist() == [40000, 40001, 40002, 40003, 40000]


def test_what_cannot_be_written_is_counted_and_said_until_it_can(tmp_path):
    directory = tmp_path / "flows"
    directory.write_text("in the way, like a full disk")
    archive = FlowArchive(directory, GIGABYTE, part_flows=1)
    archive.start()
    for flows in (1, 2):
        put(archive)
        wait_until(lambda flows=flows: archive.status().dropped == {"not written": flows})
    status = archive.status()
    assert (status.running, status.restarts, status.queued) == (True, 0, 0)
    assert status.error.startswith(f"[Errno 17] File exists: '{directory}'; make STATE_DIR/flows writable")
    directory.unlink()
    put(archive)
    wait_until(lambda: archive.status().written == 1)
    assert archive.status().error is None
    archive.stop(30)
    assert len(archived(directory)) == 1


class Failing(FlowArchive):
    """An archive with a defect that shows twice."""

    failures = 2

    def _write(self, chunk):
        if self.failures:
            self.failures -= 1
            chunk[0].table.extras["odd"] = [object()]
        super()._write(chunk)


def test_a_failure_is_counted_and_survived(tmp_path):
    archive = Failing(tmp_path, GIGABYTE, part_flows=1)
    archive.start()
    for flows in (1, 2, 3):
        put(archive, flows)
        wait_until(lambda: archive.status().queued == 0)
    wait_until(lambda: archive.status().restarts == 2)
    archive.stop(30)
    status = archive.status()
    assert (status.written, status.dropped) == (3, {"not written": 3})


def test_a_disk_that_hangs_neither_blocks_put_nor_stop(tmp_path, monkeypatch):
    archive = FlowArchive(tmp_path, GIGABYTE, part_flows=1, capacity=2)
    release = threading.Event()
    monkeypatch.setattr(archive._writer, "write", lambda *_: release.wait(30))
    archive.start()
    for _ in range(5):
        put(archive)
    archive.stop(0.05)
    assert archive.status().dropped == {"queue full": 3}
    release.set()
    wait_until(lambda: not archive.status().running)


@pytest.mark.parametrize("limit", [0, GIGABYTE])
def test_without_flows_nothing_is_made(tmp_path, limit):
    archive = FlowArchive(tmp_path / "flows", limit)
    archive.start()
    assert archive.status().enabled == archive.status().running == (limit > 0)
    archive.stop(30)
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_is_off_takes_nothing(tmp_path):
    archive = FlowArchive(tmp_path / "flows", 0)
    archive.start()
    put(archive)
    archive.stop(30)
    assert (archive.status().queued, list(tmp_path.iterdir())) == (0, [])
