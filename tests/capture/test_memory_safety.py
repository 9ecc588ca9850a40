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
from helpers.packets import (
    START_US,
    connection,
    ethernet,
    ipv4,
    ipv6,
    pcap,
    pcapng,
    tcp_segment,
    udp,
    udp_datagram,
)

LONGEST_GAP = 40
INDEX_PACKETS = 100


def metered(case: Case, rng: random.Random, *, with_rest: bool = False) -> Outcome:
    """Meter a case from one block, with noise from `rng` between what was captured.

    What the snapshot length cut off is noise too, or, with `with_rest`, what really followed: the most
    tempting bytes to read on into.
    """
    parts, starts, at = [], [], 0
    for number, packet in enumerate(case.packets):
        gap = rng.randbytes(number * 7 % LONGEST_GAP)
        cut_off = packet.frame[packet.captured :]
        rest = cut_off if with_rest else rng.randbytes(len(cut_off))
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
@settings(max_examples=200, deadline=None)
def test_no_byte_outside_the_packets_changes_the_flows(data: bytes, seed: int) -> None:
    case = traffic_case(data)
    assert metered(case, random.Random(seed)) == metered(case, random.Random(seed + 1), with_rest=True)


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


def frames_of_every_shape() -> list[tuple[bytes, int]]:
    """Frames and link types, one for each way through the decoder."""
    ends4, ends6 = ("10.0.0.1", "10.0.0.2"), ("2001:db8::1", "2001:db8::2")
    tcp, udp4 = tcp_segment(1, 80, "PA", bytes(9), options=bytes(8)), udp_datagram(5, 6, bytes(9))
    inside = ipv4(*ends4, 6, tcp)
    extended = bytes([60, 0]) + bytes(6) + bytes([51, 0]) + bytes(6) + bytes([44, 1]) + bytes(10)
    packets = [
        inside,
        ipv4(*ends4, 17, udp4, options=bytes(8)),
        ipv4(*ends4, 6, tcp, fragment=0x2001),
        ipv4(*ends4, 4, ipv4(*ends4, 4, ipv4(*ends4, 17, udp4))),
        ipv4(*ends4, 1, bytes([3, 1]) + bytes(6) + inside),
        ipv4(*ends4, 2, bytes(8)),
        ipv4(*ends4, 132, bytes(30)),
        ipv6(*ends6, 6, tcp),
        ipv6(*ends6, 0, extended + bytes([17, 0, 0, 1]) + bytes(4) + udp4),
        ipv6(*ends6, 44, bytes([17, 0, 0, 8]) + bytes(4) + udp4),
        ipv6(*ends6, 44, bytes([2, 0, 0, 1]) + bytes(16)),
        ipv6(*ends6, 60, bytes([2, 0]) + bytes(6) + bytes(12)),
        ipv6(*ends6, 58, bytes([135, 0]) + bytes(30)),
    ]
    frames = [(ethernet(packet), 1) for packet in packets]
    frames += [(ethernet(inside, tags=tags), 1) for tags in ([0x8100], [0x88A8, 0x8100], [0x9100] * 3)]
    kinds = (b"\x08\x06", b"\x88\x64", b"\x88\x47", b"\x00\x26", b"\x88\xcc")
    frames += [(bytes(12) + b"\x81\x00\x00\x07" + kind + bytes(40), 1) for kind in kinds]
    frames += [(b"\x02\0\0\0" + inside, 0), (inside, 101), (packets[7], 101), (inside, 105)]
    return [*frames, (bytes(14) + b"\x08\0" + inside, 113), (b"\x08\0" + bytes(18) + inside, 276)]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("live", [None, LiveRules()], ids=["file", "live"])
def test_a_packet_cut_anywhere_is_not_read_beyond(dialect: str, live: LiveRules | None) -> None:
    for frame, link in frames_of_every_shape():
        cuts = [HostilePacket(frame, cut, START_US + cut, link, False) for cut in range(len(frame) + 1)]
        for cut in cuts:
            case = Case(dialect, live, 4, [cut, cuts[-1]])
            assert metered(case, random.Random(1)) == metered(case, random.Random(2), with_rest=True)


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
