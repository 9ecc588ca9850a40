from __future__ import annotations

import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.evidence import MAX_PACKETS, EvidenceStore, FiveTuple, Wanted, write_evidence
from capture.files import read_capture
from helpers.packets import CLIENT, SERVER, START_US, Packet, connection, icmp, tcp, udp
from helpers.ring_blocks import ring_block

ETHERNET, RAW = 1, 101
FLOW = FiveTuple(*CLIENT, *SERVER, 6)
ALWAYS = (0, START_US * 2)


def store_of(packets: list[Packet], limit: int = 1 << 20, **options: int) -> EvidenceStore:
    store = EvidenceStore(limit, **options)
    for at in range(0, len(packets), 50):
        store.keep(ring_block(packets[at : at + 50]), 0, ETHERNET)
    return store


def test_a_flow_is_found_from_either_side() -> None:
    packets = [*connection(), icmp(5), udp(6, 10), *connection(port=40001)]
    store = store_of(packets)
    forward = list(store.frames([Wanted(FLOW, *ALWAYS)]))
    assert [frame.data for frame in forward] == [packet.frame for packet in connection()]
    assert [frame.ts_us for frame in forward] == [START_US + packet.at_us for packet in connection()]
    assert list(store.frames([Wanted(FiveTuple(*SERVER, *CLIENT, 6), *ALWAYS)])) == forward
    assert len(list(store.frames([Wanted(FiveTuple(*CLIENT, *SERVER, 17), *ALWAYS)]))) == 1
    assert len(list(store.frames([Wanted(FiveTuple(CLIENT[0], 0, SERVER[0], 0, 1), *ALWAYS)]))) == 1
    assert list(store.frames([Wanted(FiveTuple(*CLIENT, "10.0.0.9", 80, 6), *ALWAYS)])) == []


def test_ipv6_is_found() -> None:
    store = store_of([udp(1, 5, src=("2001:db8::1", 7), dst=("2001:db8::2", 8))])
    assert len(list(store.frames([Wanted(FiveTuple("2001:db8::2", 8, "2001:db8::1", 7, 17), *ALWAYS)]))) == 1


def test_only_the_period_is_found() -> None:
    store = store_of(connection())
    frames = list(store.frames([Wanted(FLOW, START_US + 2000, START_US + 4000)]))
    assert [frame.ts_us - START_US for frame in frames] == [2000, 3000, 4000]


def test_several_flows_are_found_in_one_pass_each_in_its_period() -> None:
    long = [tcp(at, payload=10) for at in range(600)]
    store = store_of([*long, *[udp(600 + at, 10) for at in range(5)], tcp(700, payload=10)], limit=4 << 20)
    other = FiveTuple(*CLIENT, *SERVER, 17)
    wanted = [Wanted(FLOW, *ALWAYS), Wanted(other, START_US + 602, START_US + 603)]
    assert [frame.ts_us - START_US for frame in store.frames(wanted)] == [*range(MAX_PACKETS), 602, 603]
    assert list(store.frames([])) == []


def test_an_address_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        list(store_of([]).frames([Wanted(FiveTuple("nonsense", 1, "10.0.0.1", 2, 6), *ALWAYS)]))


def test_at_most_the_first_packets_of_a_long_flow() -> None:
    store = store_of([tcp(at, payload=10) for at in range(3000)])
    frames = list(store.frames([Wanted(FLOW, *ALWAYS)]))
    assert [frame.ts_us - START_US for frame in frames] == list(range(MAX_PACKETS))


def test_a_flow_is_found_among_many_packets() -> None:
    others = [udp(at, 20) for at in range(6000)]
    store = store_of([tcp(0), *others, tcp(7000)], limit=4 << 20)
    assert len(list(store.frames([Wanted(FLOW, *ALWAYS)]))) == 2


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 1400), max_size=12), max_size=12),
    st.integers(2000, 20_000),
)
def test_the_newest_frames_stay_within_the_limit(blocks: list[list[int]], limit: int) -> None:
    store = EvidenceStore(limit)
    sent: list[Packet] = []
    for lengths in blocks:
        block = [tcp(len(sent) + at, payload=length) for at, length in enumerate(lengths)]
        sent += block
        store.keep(ring_block(block), 0, ETHERNET)
    kept = list(store.frames([Wanted(FLOW, *ALWAYS)]))
    status = store.status()
    assert status.packets == len(kept)
    assert status.bytes <= status.limit_bytes <= limit
    assert [frame.data for frame in kept] == [packet.frame for packet in sent[len(sent) - len(kept) :]]
    assert status.oldest_us == (kept[0].ts_us if kept else None)
    if len(kept) < len(sent):
        room = sum((24 + len(frame.data) + 7) // 8 * 8 for frame in kept)
        longest = max(len(packet.frame) for packet in sent) + 32
        assert room + 2 * longest > limit, "evicted although there was room"


def test_a_frame_larger_than_the_memory_is_left_out() -> None:
    store = store_of([tcp(0, payload=100), tcp(1, payload=5000), tcp(2, payload=100)], limit=2048)
    assert [frame.length for frame in store.frames([Wanted(FLOW, *ALWAYS)])] == [154, 154]


def test_snaplen_bounds_what_is_kept() -> None:
    store = store_of([tcp(0, payload=1000)], snaplen=96)
    (frame,) = store.frames([Wanted(FLOW, *ALWAYS)])
    assert (len(frame.data), frame.length) == (96, 1054)


def test_evidence_is_a_capture_that_only_its_owner_reads(tmp_path: Path) -> None:
    stores = [store_of(connection()[::2]), store_of(connection()[1::2])]
    path = tmp_path / "evidence.pcap"
    assert write_evidence(stores, [Wanted(FLOW, *ALWAYS)], path) == 10
    (table,) = read_capture(path)
    assert (table.source(0), table.destination(0), len(table)) == ("10.0.0.1", "10.0.0.2", 1)
    assert table.column("tot_fwd_pkts")[0] + table.column("tot_bwd_pkts")[0] == 10
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_evidence_of_two_link_types_has_that_of_the_first_packet(tmp_path: Path) -> None:
    raw = EvidenceStore(1 << 16)
    raw.keep(ring_block([Packet(20, packet.frame[14:]) for packet in connection()]), 0, RAW)
    path = tmp_path / "evidence.pcap"
    assert write_evidence([raw, store_of(connection())], [Wanted(FLOW, *ALWAYS)], path) == 10
    assert path.read_bytes()[20] == ETHERNET


def test_without_evidence_there_is_no_file(tmp_path: Path) -> None:
    assert (
        write_evidence([store_of([]), store_of([icmp(1)])], [Wanted(FLOW, *ALWAYS)], tmp_path / "none.pcap")
        == 0
    )
    assert list(tmp_path.iterdir()) == []


def test_readers_see_whole_frames_while_the_capture_writes() -> None:
    store = EvidenceStore(1 << 17)
    frames = [tcp(at, payload=at % 1300) for at in range(400)]
    blocks = [ring_block(frames[at : at + 40]) for at in range(0, 400, 40)]
    known = {packet.frame for packet in frames}
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for block in blocks:
                store.keep(block, 0, ETHERNET)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            assert {frame.data for frame in store.frames([Wanted(FLOW, *ALWAYS)])} <= known
    finally:
        stop.set()
        writer.join()
    assert np.all(store.status().packets > 0)
