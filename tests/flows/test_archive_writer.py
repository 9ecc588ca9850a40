from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows import archive_writer
from flows.archive import read_archive
from flows.archive_writer import ArchiveContents, ArchiveWriter
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES
from flows.table import concat_tables
from helpers.flows import assert_same_table, flow_table

GIGABYTE = 10**9
HOURS = [f"2026-11-21T{hour:02}" for hour in range(24)]
KINDS = {
    "alike": flow_table,
    "of another dialect": lambda n: flow_table(n, dialect="cic-v4"),
    "of other features": lambda n: flow_table(n, names=COMMON_NAMES),
    "of another sensor": lambda n: flow_table(n, sensor="another"),
    "with an extra": lambda n: flow_table(n, extras={"verdict": np.array(["Bot"] * n, object)}),
}


def files(directory):
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*.parquet"))


def noise(n, seed):
    """Flows that do not compress."""
    table = flow_table(n)
    return replace(table, features=np.random.default_rng(seed).random(table.features.shape))


@contextmanager
def file_size_limit(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


steps = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(sorted(KINDS)), st.integers(1, 4)),
    st.tuples(st.just("hour")),
    st.tuples(st.just("restart")),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(steps, max_size=20))
def test_whatever_happens_every_flow_is_kept_once_and_in_order(tmp_path_factory, history):
    directory = tmp_path_factory.mktemp("archive") / "flows"
    writer, hour, written = ArchiveWriter(directory, GIGABYTE), 0, []
    for step, *what in history:
        if step == "write":
            kind, n = what
            uids = np.arange(len(written), len(written) + n, dtype=np.uint64)
            table = replace(KINDS[kind](n), flow_uid=uids)
            writer.write(table, HOURS[hour])
            written += [(int(uid), table.dialect, table.sensor, table.feature_names) for uid in uids]
        elif step == "hour":
            hour += 1
            writer.finish(HOURS[hour])
        else:
            writer.close()
            writer = ArchiveWriter(directory, GIGABYTE)
    if written:
        writer.finish("2026-11-22T00")
        assert not [path for path in directory.iterdir() if path.is_dir()]
        read = [
            (int(uid), table.dialect, table.sensor, table.feature_names)
            for table in read_archive(directory)
            for uid in table.flow_uid
        ]
        assert read == written
    writer.close()


def test_parts_become_the_hours_file(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    tables = [noise(3, seed) for seed in range(3)]
    for table in tables:
        writer.write(table, HOURS[10])
    assert files(tmp_path) == [f"{HOURS[10]}/{number:04}.parquet" for number in (1, 2, 3)]
    assert writer.has_parts()
    writer.finish(HOURS[11])
    assert not writer.has_parts()
    assert files(tmp_path) == [f"{HOURS[10]}.parquet"]
    assert_same_table(read_parquet(tmp_path / f"{HOURS[10]}.parquet"), concat_tables(tables))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"alike"}))
def test_what_one_file_cannot_hold_gets_another(tmp_path, kind):
    for _ in range(2):  # also after a restart
        writer = ArchiveWriter(tmp_path, GIGABYTE)
        writer.write(KINDS[kind](1), HOURS[10])
        writer.write(KINDS[kind](1), HOURS[10])
        writer.write(KINDS["alike"](1), HOURS[10])
        writer.close()
    assert files(tmp_path) == [
        *(f"{HOURS[10]}.2/0001.parquet", f"{HOURS[10]}.3/0001.parquet", f"{HOURS[10]}.3/0002.parquet"),
        *(f"{HOURS[10]}.4/0001.parquet", f"{HOURS[10]}/0001.parquet", f"{HOURS[10]}/0002.parquet"),
    ]


def test_an_hour_that_was_put_together_is_not_opened_again(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    writer.write(flow_table(1), HOURS[10])
    writer.finish(HOURS[11])
    writer.write(flow_table(1), HOURS[10])  # the clock was put back
    assert files(tmp_path) == [f"{HOURS[10]}.2/0001.parquet", f"{HOURS[10]}.parquet"]


def test_a_file_is_made_of_so_many_parts_only(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_writer, "MAX_PARTS", 2)
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    for _ in range(5):
        writer.write(flow_table(1), HOURS[10])
    assert [path.split("/")[0] for path in files(tmp_path)] == [f"{HOURS[10]}.2"] * 2 + [f"{HOURS[10]}.3"] + [
        HOURS[10]
    ] * 2


def test_the_oldest_files_make_room(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    writer.write(noise(50, 0), HOURS[0])
    one = writer.contents().bytes
    writer.close()
    limit = int(3.5 * one)
    writer = ArchiveWriter(tmp_path, limit)
    for hour in range(1, 8):
        writer.write(noise(50, hour), HOURS[hour])
        writer.finish(HOURS[hour])
        contents = writer.contents()
        assert contents.bytes <= limit
        assert contents.oldest == HOURS[max(0, hour - 2)]
    assert (contents.files, writer.deleted) == (3, 5)
    assert files(tmp_path) == [f"{HOURS[5]}.parquet", f"{HOURS[6]}.parquet", f"{HOURS[7]}/0001.parquet"]


def test_the_running_hour_alone_may_be_too_much(tmp_path):
    writer = ArchiveWriter(tmp_path, 1)
    for _ in range(3):
        writer.write(flow_table(1), HOURS[10])
        writer.finish(HOURS[10])
        assert writer.contents() == ArchiveContents(0, 0, None)
    assert (files(tmp_path), writer.deleted) == ([], 3)


def test_crash_leftovers_are_cleared_away(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    for hour in HOURS[10:13]:
        writer.write(flow_table(2), hour)
    writer.finish(HOURS[12])
    writer.close()
    part = tmp_path / HOURS[12] / "0001.parquet"
    (tmp_path / HOURS[12] / "0002.parquet").write_bytes(part.read_bytes()[:-100])
    (tmp_path / HOURS[12] / ".unfinished-0003.parquet").write_bytes(b"half")
    (tmp_path / f".unfinished-{HOURS[11]}.parquet").write_bytes(b"half")
    (tmp_path / HOURS[11]).mkdir()
    (tmp_path / HOURS[11] / "0001.parquet").write_bytes(part.read_bytes())
    (tmp_path / f"{HOURS[9]}.parquet").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("the user's")
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    writer.write(flow_table(2), HOURS[12])
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        *(".lock", f"{HOURS[10]}.parquet", f"{HOURS[11]}.parquet", HOURS[12]),
        *(f"{HOURS[12]}/0001.parquet", f"{HOURS[12]}/0002.parquet", "notes.txt"),
    ]
    assert sum(map(len, read_archive(tmp_path))) == 8


def test_an_unreadable_part_does_not_keep_the_others_from_being_put_together(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    for _ in range(3):
        writer.write(flow_table(2), HOURS[10])
    (tmp_path / HOURS[10] / "0002.parquet").write_bytes(b"PAR1 nothing PAR1")
    writer.finish(HOURS[11])
    assert len(read_parquet(tmp_path / f"{HOURS[10]}.parquet")) == 4


def test_two_processes_do_not_write_one_archive(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    writer.write(flow_table(1), HOURS[10])
    other = ArchiveWriter(tmp_path, GIGABYTE)
    with pytest.raises(OSError, match="another process writes this archive"):
        other.write(flow_table(1), HOURS[10])
    writer.close()
    other.write(flow_table(1), HOURS[10])
    assert sum(map(len, read_archive(tmp_path))) == 2


def test_a_full_disk_leaves_whole_files_only(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    for seed in range(3):
        writer.write(noise(200, seed), HOURS[10])
    before = files(tmp_path)
    with file_size_limit(writer.contents().bytes // 2):  # a part fits, the hour does not
        with pytest.raises(OSError, match="File too large"):
            writer.finish(HOURS[11])
        with pytest.raises(OSError, match="File too large"):
            writer.write(noise(2000, 9), HOURS[11])
    assert files(tmp_path) == before
    assert not list(tmp_path.rglob(".unfinished*"))
    writer.finish(HOURS[11])
    assert files(tmp_path) == [f"{HOURS[10]}.parquet"]
    assert sum(map(len, read_archive(tmp_path))) == 600


WRITES_FOR_EVER = """
import sys
from pathlib import Path
import numpy as np
from flows.archive_writer import ArchiveWriter
from flows.table import FlowTable
from flows.schema import IMPROVED_NAMES

writer, uid, random = ArchiveWriter(Path(sys.argv[1]), 10**9), int(sys.argv[2]), np.random.default_rng()
while True:
    hour = f"2026-11-{uid // 24 % 20 + 1:02}T{uid % 24:02}"
    for _ in range(4):
        features = random.random((500, len(IMPROVED_NAMES)))
        uids = np.full(500, uid, np.uint64)
        writer.write(FlowTable.from_features(features, IMPROVED_NAMES, "improved", flow_uid=uids), hour)
        print(uid, flush=True)
        uid += 1
    writer.finish("2026-12-01T00")
"""


def test_a_kill_loses_nothing_that_was_written(tmp_path):
    written = []
    for run in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITES_FOR_EVER, tmp_path / "flows", str(1000 * run)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        )
        with process:
            written += [int(process.stdout.readline()) for _ in range(6 + run)]
            process.send_signal(signal.SIGKILL)
            written += [int(line) for line in process.stdout if line.endswith("\n")]
        read = np.concatenate([table.flow_uid for table in read_archive(tmp_path / "flows")])
        uids, flows = np.unique(read, return_counts=True)
        # What was being written when the kill came is there or not, and whole.
        assert set(written) <= set(uids.tolist()) <= {*written, written[-1] + 1}
        assert set(flows.tolist()) == {500}
        written = uids.tolist()
