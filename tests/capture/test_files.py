from __future__ import annotations

import gzip
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from capture.decompress import RATIO_APPLIES_FROM
from capture.files import CaptureFile, read_capture
from capture.rules import LiveRules
from flows.schema import IMPROVED_NAMES
from helpers.packets import connection, pcap, udp, write_capture


def test_a_capture_becomes_flows(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "a.pcap", pcap([*connection(), *connection(50_000, port=40001)]))
    seen: list[int] = []
    (table,) = read_capture(path, sensor="s1", progress=seen.append)
    assert len(table) == 2
    assert (table.dialect, table.feature_names) == ("improved", IMPROVED_NAMES)
    assert (table.sensor, table.interface) == ("s1", "a.pcap")
    assert seen[-1] == path.stat().st_size


def test_live_rules_apply_to_a_file(tmp_path: Path) -> None:
    packets = [udp(0), udp(70_000_000)]
    path = write_capture(tmp_path / "a.pcap", pcap(packets))
    assert sum(map(len, read_capture(path))) == 1
    assert sum(map(len, read_capture(path, live_rules=LiveRules()))) == 2


def test_a_cut_file_gives_its_flows_and_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_capture(tmp_path / "cut.pcap", pcap(connection())[:-5])
    with caplog.at_level(logging.WARNING):
        assert sum(map(len, read_capture(path))) == 1
    assert "cut.pcap: cut off inside a record" in caplog.text


def test_counters_and_problem_of_a_file(tmp_path: Path) -> None:
    capture = CaptureFile(write_capture(tmp_path / "a.pcap", pcap(connection())))
    assert [len(table) for table in capture.tables()] == [1]
    assert (capture.counters().packets, capture.problem) == (10, None)


def test_a_text_file_is_refused(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "notes.pcap", b"these are notes, not packets\n")
    with pytest.raises(ValueError, match=r"notes\.pcap: not a pcap or pcapng capture"):
        list(read_capture(path))


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(read_capture(tmp_path / "missing.pcap"))


def test_snaplen_cut_packets_are_metered_with_what_is_there(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "cut.pcap", pcap([udp(0, 600), udp(10, 600)], snaplen=100))
    (table,) = read_capture(path)
    assert table.column("totlen_fwd_pkts")[0] == 2 * (100 - 42)


@pytest.mark.parametrize(("limit", "status"), [("500", 0), ("50", 1)])
def test_the_memory_benchmark_holds_metering_to_its_limit(limit: str, status: int) -> None:
    benchmark = Path(__file__).parents[2] / "benchmarks" / "memory.py"
    command = [sys.executable, benchmark, "--megabytes", "6", "--limit", limit, "--dialect", "improved"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == status, answer.stderr
    assert "20,979" in answer.stdout


def test_messages_and_tables_call_a_file_what_they_are_told(tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(pcap(connection())[:-1])
    capture = CaptureFile(path, name="office.pcap")
    assert {table.interface for table in capture.tables()} == {"office.pcap"}
    assert (capture.problem or "").startswith("office.pcap: cut off")
    path.write_bytes(b"GIF89a, not packets")
    with pytest.raises(ValueError, match=r"^office\.pcap: not a pcap"):
        list(CaptureFile(path, name="office.pcap").tables())


def test_a_ratio_of_ones_own_is_a_limit_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pcap.gz"
    path.write_bytes(gzip.compress(pcap([]) + bytes(RATIO_APPLIES_FROM + (1 << 20)), 6))
    capture = CaptureFile(path, max_ratio=2)
    list(capture.tables())
    assert capture.over_limit
    assert "max_ratio = 2" in (capture.problem or "")
