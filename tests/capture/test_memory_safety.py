"""Compiled kernels check no bounds: what lies outside a packet's captured bytes must not matter."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.framing import MAX_INTERFACES, Framing, Interface, frame_pcap, frame_pcapng
from capture.layout import packet_index
from capture.rules import LiveRules
from fuzz.targets import Outcome, make_meter, outcome_of
from fuzz.traffic import DIALECTS, Case, HostilePacket, traffic_case
from helpers.packets import connection, pcap, pcapng, udp

LONGEST_GAP = 40
INDEX_PACKETS = 100


def metered(case: Case, rng: random.Random) -> Outcome:
    """Meter a case from one block, with noise from `rng` between what was captured."""
    parts, starts, at = [], [], 0
    for number, packet in enumerate(case.packets):
        gap = rng.randbytes(number * 7 % LONGEST_GAP)
        # What the snapshot length cut off is noise too.
        rest = rng.randbytes(len(packet.frame) - packet.captured)
        starts.append(at + len(gap))
        parts += [gap, packet.frame[: packet.captured], rest]
        at += len(gap) + len(packet.frame)
    parts.append(rng.randbytes(LONGEST_GAP))
    block = np.frombuffer(b"".join(parts), np.uint8).copy()
    meter = make_meter(case)
    tables = []
    for numbers in batches(case):
        packets: list[HostilePacket] = [case.packets[number] for number in numbers]
        if case.live_rules and packets[0].expire:
            tables += meter.expire(packets[0].ts)
        index = packet_index(len(packets))
        index.offset[:] = [starts[number] for number in numbers]
        index.captured[:] = [packet.captured for packet in packets]
        index.ts[:] = [packet.ts for packet in packets]
        index.link[:] = [packet.link for packet in packets]
        tables += meter.feed(block, index, len(packets))
    tables += meter.flush()
    return outcome_of(meter, tables)


def batches(case: Case) -> list[range]:
    cuts = [number for number, packet in enumerate(case.packets) if packet.expire and number]
    bounds = [0, *cuts, len(case.packets)]
    return [range(one, other) for one, other in pairwise(bounds) if one < other]


@given(st.binary(min_size=3, max_size=1200), st.integers(0, 99))
@settings(max_examples=300, deadline=None)
def test_no_byte_outside_the_packets_changes_the_flows(data: bytes, seed: int) -> None:
    case = traffic_case(data)
    assert metered(case, random.Random(seed)) == metered(case, random.Random(seed + 1))


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("live", [None, LiveRules()], ids=["file", "live"])
def test_no_byte_outside_changes_the_flows_of_a_dialect(dialect: str, live: LiveRules | None) -> None:
    rng = random.Random(7)
    rows = 0
    for seed in range(40):
        packets = traffic_case(rng.randbytes(900)).packets
        case = Case(dialect, live, 64, packets)
        one = metered(case, random.Random(seed))
        assert one == metered(case, random.Random(seed + 1000))
        rows += one["rows"]
    assert rows > 100


def framed(content: bytes, before: bytes, behind: bytes) -> list[tuple[int, ...]]:
    """Frame `content` inside of other bytes; places count from its start."""
    block = np.frombuffer(before + content + behind, np.uint8).copy()
    start, end = len(before), len(before) + len(content)
    index = packet_index(INDEX_PACKETS)
    framing = np.zeros(Framing.SIZE, np.int64)
    framing[Framing.UNITS_PER_SECOND], framing[Framing.RECORD_HEADER] = 1_000_000, 16
    interfaces = np.zeros((MAX_INTERFACES, Interface.SIZE), np.int64)
    found: list[tuple[int, ...]] = []
    for frame in (
        lambda: frame_pcap(block, start, end, framing, index),
        lambda: frame_pcapng(block, start, end, framing, interfaces, index),
    ):
        count, done = frame()
        for at in range(count):
            place, captured = int(index.offset[at]) - start, int(index.captured[at])
            assert 0 <= place <= place + captured <= len(content)
            found.append((place, captured, int(index.ts[at]), int(index.link[at])))
        found.append((int(done) - start, *map(int, framing)))
        framing[Framing.ERROR] = 0
    return found


PACKETS = [*connection()[:3], udp(9, 100)]


@given(
    st.sampled_from([pcap(PACKETS)[24:], pcapng(PACKETS), pcapng(PACKETS, order=">", tsresol=9)]),
    st.lists(st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=8)), max_size=4),
    st.integers(0, 900),
    st.binary(min_size=64, max_size=64),
)
@settings(max_examples=400, deadline=None)
def test_no_byte_outside_the_block_changes_the_framing(
    content: bytes, changes: list[tuple[int, bytes]], cut: int, outside: bytes
) -> None:
    changed = bytearray(content)
    for at, junk in changes:
        changed[at : at + len(junk)] = junk
    known = bytes(changed[:cut])
    assert framed(known, bytes(64), bytes(64)) == framed(known, outside, outside[::-1])
