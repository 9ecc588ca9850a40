from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.archive import ArchivedHour, archived_hours, hour_of, read_archive
from flows.archive_writer import ArchiveWriter
from flows.parquet_files import ParquetFlowReader, write_parquet
from flows.table import concat_tables
from helpers.flows import assert_same_table, flow_table

GIGABYTE = 10**9


def ports(directory, **period):
    return [int(port) for table in read_archive(directory, **period) for port in table.src_port]


def test_hours_are_utc():
    assert hour_of(1795269599.9) == "2026-11-21T13"
    assert hour_of(1795269600) == "2026-11-21T14"


@given(st.datetimes().map(lambda time: time.strftime("%04Y-%m-%dT%H")), st.integers(1, 10_000))
def test_names_say_which_hour(hour, number):
    archived = ArchivedHour(hour, number)
    assert ArchivedHour.named(archived.name) == archived


@pytest.mark.parametrize(
    "name", ["", "notes", "2026-11-21", "2026-11-21T14.1", "2026-11-21T14.02", "x.parquet"]
)
def test_other_names_are_not_the_archives(name):
    assert ArchivedHour.named(name) is None


def test_flows_come_in_the_order_they_were_archived(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    tables = [flow_table(2, src_port=np.array([port, port + 1], np.int32)) for port in range(1, 25, 2)]
    for number, table in enumerate(tables):
        writer.write(table, f"2026-11-21T{number // 4:02}")
    writer.finish("2026-11-21T02")
    assert sorted(path.name for path in tmp_path.glob("2*")) == [
        *("2026-11-21T00.parquet", "2026-11-21T01.parquet", "2026-11-21T02")
    ]
    assert_same_table(concat_tables(read_archive(tmp_path)), concat_tables(tables))


def test_a_period_chooses_by_the_flows_end(tmp_path):
    table = flow_table(10)
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    writer.write(table, "2026-11-21T10")
    since, until = int(table.end_us[3]), int(table.end_us[6])
    assert ports(tmp_path, since_us=since, until_us=until) == table.src_port[3:6].tolist()
    assert ports(tmp_path, since_us=until) == table.src_port[6:].tolist()
    assert ports(tmp_path, until_us=since) == table.src_port[:3].tolist()
    assert ports(tmp_path, since_us=until, until_us=since) == []


def test_what_cannot_be_read_is_left_out_and_told(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    for hour in ("2026-11-21T10", "2026-11-21T11"):
        writer.write(flow_table(1), hour)
    (tmp_path / "2026-11-21T10" / "0002.parquet").write_bytes(b"half a fi")
    (tmp_path / "2026-11-21T10" / ".unfinished-0003.parquet").write_bytes(b"half a fi")
    (tmp_path / "2026-11-21T12.parquet").write_bytes(b"PAR1 nothing PAR1")
    (tmp_path / "notes.parquet").write_bytes(b"not the archive's")
    problems = []
    assert sum(map(len, read_archive(tmp_path, on_problem=problems.append))) == 2
    assert [problem.split(": ")[1].removeprefix(str(tmp_path)) for problem in problems] == [
        *("/2026-11-21T10/0002.parquet", "/2026-11-21T12.parquet")
    ]


def test_the_file_of_an_hour_stands_for_its_parts(tmp_path):
    ArchiveWriter(tmp_path, GIGABYTE).write(flow_table(3), "2026-11-21T10")
    write_parquet(flow_table(3), tmp_path / "2026-11-21T10.parquet")
    assert sum(map(len, read_archive(tmp_path))) == 3


def test_hours_may_be_put_together_while_they_are_read(tmp_path):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    for hour in ("2026-11-21T10", "2026-11-21T11"):
        for _ in range(3):
            writer.write(flow_table(2), hour)
    reading = read_archive(tmp_path)
    read = len(next(reading))
    writer.finish("2026-11-21T12")
    read += sum(map(len, reading))
    assert read == 12


def test_a_file_that_vanishes_while_it_is_opened(tmp_path, monkeypatch):
    writer = ArchiveWriter(tmp_path, GIGABYTE)
    for _ in range(3):
        writer.write(flow_table(2), "2026-11-21T10")
    opened = threading.Event()

    def finish_after_the_first(path):
        reader = ParquetFlowReader(path)
        if not opened.is_set():
            opened.set()
            writer.finish("2026-11-21T11")
        return reader

    monkeypatch.setattr("flows.archive.ParquetFlowReader", finish_after_the_first)
    assert sum(map(len, read_archive(tmp_path))) == 6
    assert opened.is_set()


def test_an_archive_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        archived_hours(tmp_path / "none")
