from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from capture.files import CaptureFile
from context.features import CONTEXT_NAMES
from context.notes import NOTES, has_notes, with_context, with_notes
from context.stage import ContextStage
from flows.compact_files import write_compact
from flows.parquet_files import read_parquet
from flows.table import FlowTable, concat_tables
from helpers.packets import connection, pcap, tcp, udp, write_capture


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Connections, of which one goes on for ten seconds and ends with a reset, and unanswered datagrams."""
    packets = [packet for at in range(12) for packet in connection(at * 700_000, 2000 + at)]
    packets += [tcp(at * 1_000_000, "PA", 10, src=("10.0.0.9", 9)) for at in range(10)]
    packets += [tcp(10_000_000, "R", src=("10.0.0.9", 9))]
    packets += [udp(at * 90_000, 30, src=("10.0.0.7", 50), dst=("10.0.0.8", 5000 + at)) for at in range(30)]
    packets.sort(key=lambda packet: packet.at_us)
    return write_capture(tmp_path / "c.pcap", pcap(packets))


def metered(capture: Path) -> tuple[FlowTable, NDArray[np.void]]:
    file = CaptureFile(capture, starts=True)
    tables, starts = [], []
    for table in file.tables():
        tables.append(replace(table, interface=""))
        starts.append(file.take_starts())
    return concat_tables(tables), np.concatenate([*starts, file.take_starts()])


def expected(capture: Path) -> FlowTable:
    file = CaptureFile(capture, starts=True)
    found = concat_tables(list(ContextStage().complete(file.tables(), file.take_starts)))
    return found.take(np.argsort(found.flow_uid))


def test_flows_of_a_file_have_the_context_that_they_had_on_the_wire(capture: Path, tmp_path: Path) -> None:
    write_compact(with_notes(*metered(capture)), tmp_path / "f.parquet")
    found = with_context(read_parquet(tmp_path / "f.parquet"))
    there = expected(capture)
    assert found.feature_names == there.feature_names
    assert len(found) == len(there)
    np.testing.assert_array_equal(found.select(CONTEXT_NAMES), there.select(CONTEXT_NAMES))
    assert found.column("src_unanswered_10s").max() == 1.0


def test_notes_say_what_a_flow_was_when_two_seconds_old(capture: Path) -> None:
    table = with_notes(*metered(capture))
    [long] = np.flatnonzero(table.src_port == 9)
    assert {name: int(table.extras[name][long]) for name in NOTES} == {
        "young_fwd_pkts": 3,
        "young_bwd_pkts": 0,
        "young_fwd_byts": 30,
        "young_bwd_byts": 0,
        "young_rst": 0,
    }


def test_a_provisional_row_has_the_context_of_its_flow_and_counts_nowhere(capture: Path) -> None:
    table = with_notes(*metered(capture))
    early = table.take(table.src_port == 9)
    early = replace(early, provisional=np.ones(len(early), np.bool_))
    found = with_context(concat_tables([table, early])).select(CONTEXT_NAMES)
    alone = with_context(table).select(CONTEXT_NAMES)
    np.testing.assert_array_equal(found[:-1], alone)
    np.testing.assert_array_equal(found[-1], alone[table.src_port == 9][0])


def test_flows_without_notes_have_no_context(capture: Path) -> None:
    table, _ = metered(capture)
    assert not has_notes(table)
    found = with_context(table)
    assert np.isnan(found.select(CONTEXT_NAMES)).all()
    np.testing.assert_array_equal(found.select(table.feature_names), table.features)


def test_notes_of_other_flows_are_refused(capture: Path) -> None:
    table, starts = metered(capture)
    with pytest.raises(ValueError, match="not those of these flows"):
        with_notes(table, starts[1:])
    starts["dst_port"][0] += 1
    with pytest.raises(ValueError, match="not those of these flows"):
        with_notes(table, starts)
