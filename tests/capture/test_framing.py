"""What the pcapng format allows besides one section with one interface."""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.blocks import BlockReader
from capture.framing import LATEST_US, MAX_INTERFACES
from helpers.packets import START_US, connection, framed_packets, pcap
from helpers.pcapng_blocks import Blocks

US = 1_000_000
both_orders = pytest.mark.parametrize("blocks", [Blocks("<"), Blocks(">")], ids=["little", "big"])


class Framed(NamedTuple):
    frame: bytes
    ts: int
    link: int


def framed(content: bytes) -> tuple[list[Framed], str | None]:
    reader = BlockReader(io.BytesIO(content), "x.pcapng")
    found = []
    for block, index, count in reader:
        for at in range(count):
            start = int(index.offset[at])
            frame = block[start : start + int(index.captured[at])].tobytes()
            found.append(Framed(frame, int(index.ts[at]), int(index.link[at])))
    return found, reader.problem


@both_orders
def test_interfaces_have_link_types_and_clocks_of_their_own(blocks: Blocks) -> None:
    content = (
        blocks.section()
        + blocks.interface(1)
        + blocks.enhanced(b"first", START_US)
        + blocks.interface(113, blocks.resolution(9), blocks.offset(100))
        + blocks.interface(101, blocks.resolution(0x80 | 10))
        + blocks.enhanced(b"second", 1500, 1)
        + blocks.enhanced(b"third", 3 * 1024 + 512, 2)
        + blocks.enhanced(b"fourth", START_US + 1, 0)
    )
    assert framed(content) == (
        [
            Framed(b"first", START_US, 1),
            Framed(b"second", 100 * US + 1, 113),
            Framed(b"third", 3_500_000, 101),
            Framed(b"fourth", START_US + 1, 1),
        ],
        None,
    )


def test_a_section_forgets_the_interfaces_and_the_order_of_the_last() -> None:
    little, big = Blocks("<"), Blocks(">")
    one = little.section() + little.interface(1) + little.interface(101) + little.enhanced(b"a", 1, 1)
    other = big.section() + big.interface(113) + big.enhanced(b"b", 2, 0)
    assert framed(one + other) == ([Framed(b"a", 1, 101), Framed(b"b", 2, 113)], None)
    found, problem = framed(one + big.section() + big.interface(113) + big.enhanced(b"b", 2, 1))
    assert len(found) == 1
    assert "interface that was not described" in str(problem)


@both_orders
@pytest.mark.parametrize("seconds", [0, 1, 3600, -3600, 1_767_603_600])
def test_a_time_offset_is_added(blocks: Blocks, seconds: int) -> None:
    content = blocks.section() + blocks.interface(1, blocks.offset(seconds)) + blocks.enhanced(b"x", START_US)
    assert framed(content)[0] == [Framed(b"x", START_US + seconds * US, 1)]


@both_orders
def test_obsolete_packet_blocks_are_packets(blocks: Blocks) -> None:
    content = (
        blocks.section()
        + blocks.interface(1)
        + blocks.interface(113, blocks.resolution(9))
        + blocks.obsolete(b"old block", START_US * 1000 + 999, 1)
        + blocks.obsolete(b"older", START_US, 0)
    )
    assert framed(content) == ([Framed(b"old block", START_US, 113), Framed(b"older", START_US, 1)], None)


@both_orders
def test_simple_packet_blocks_have_no_time(blocks: Blocks) -> None:
    content = blocks.section() + blocks.interface(101, snaplen=8) + blocks.simple(b"12345678", original=1500)
    assert framed(content + blocks.simple(b"1234")) == (
        [Framed(b"12345678", 0, 101), Framed(b"1234", 0, 101)],
        None,
    )


@both_orders
def test_other_blocks_and_options_are_passed_over(blocks: Blocks) -> None:
    name = (2, b"eth0")
    content = (
        blocks.section()
        + blocks.block(4, bytes(8))
        + blocks.interface(1, (1, b"a comment"), name, blocks.resolution(6), (11, b"\0tcp"))
        + blocks.block(5, bytes(20))
        + blocks.enhanced(b"x", START_US)
        + blocks.block(0x0BAD, b"custom")
        + blocks.enhanced(b"y", START_US)
    )
    assert [packet.frame for packet in framed(content)[0]] == [b"x", b"y"]


@pytest.mark.parametrize(
    ("resolution", "offset", "ticks"),
    [
        (6, 0, LATEST_US + 1),
        (6, 0, 1 << 63),
        (6, -2, US),
        (0, 0, 1 << 62),
        (9, 1 << 62, 1),
        (9, -(1 << 62), 1),
        (0x80 | 62, LATEST_US, 1 << 62),
    ],
)
def test_impossible_times_stop_the_reading(resolution: int, offset: int, ticks: int) -> None:
    blocks = Blocks()
    interface = blocks.interface(1, blocks.resolution(resolution), blocks.offset(offset))
    found, problem = framed(blocks.section() + interface + blocks.enhanced(b"x", ticks))
    assert found == []
    assert "a packet's time is before 1970 or after 9999" in str(problem)


@given(
    st.integers(0, 255),
    st.integers(0, (1 << 64) - 1),
    st.one_of(st.just(0), st.integers(-(1 << 63), (1 << 63) - 1)),
)
def test_any_clock_gives_a_time_in_range_or_none(resolution: int, ticks: int, offset: int) -> None:
    blocks = Blocks()
    interface = blocks.interface(1, blocks.resolution(resolution), blocks.offset(offset))
    found, problem = framed(blocks.section() + interface + blocks.enhanced(b"x", ticks))
    assert (len(found) == 1) == (problem is None)
    power = resolution & 0x7F
    units = 2 ** min(power, 62) if resolution & 0x80 else 10 ** min(power, 18)
    exact = ticks * US // units + offset * US
    for packet in found:
        assert 0 <= packet.ts <= LATEST_US
        # Units finer than picoseconds are divided in two steps.
        assert abs(packet.ts - exact) <= (units > 10**12)


def test_interfaces_are_limited() -> None:
    blocks = Blocks()
    content = (
        blocks.section() + blocks.interface() * MAX_INTERFACES + blocks.enhanced(b"x", 1, MAX_INTERFACES - 1)
    )
    assert len(framed(content)[0]) == 1
    assert f"more than {MAX_INTERFACES} interfaces" in str(framed(content + blocks.interface())[1])


@both_orders
@pytest.mark.parametrize("kind", [1, 2, 3, 6])
def test_a_block_too_short_for_its_kind_stops_the_reading(blocks: Blocks, kind: int) -> None:
    content = blocks.section() + blocks.interface(1) + blocks.block(kind, b"")
    assert "impossible length" in str(framed(content)[1])


@both_orders
@pytest.mark.parametrize("kind", [2, 6])
def test_a_packet_longer_than_its_block_stops_the_reading(blocks: Blocks, kind: int) -> None:
    body = struct.pack(blocks.order + "IIIII", 0, 0, 1, 9, 9) + bytes(8)
    found, problem = framed(blocks.section() + blocks.interface(1) + blocks.block(kind, body))
    assert (found, "impossible length" in str(problem)) == ([], True)


@pytest.mark.parametrize("order", ["<", ">"])
def test_modified_pcap_has_longer_record_headers(order: str) -> None:
    plain = pcap(connection(), order=order)
    modified = bytearray(struct.pack(order + "I", 0xA1B2CD34) + plain[4:24])
    at = 24
    while at < len(plain):
        captured = struct.unpack_from(order + "I", plain, at + 8)[0]
        modified += plain[at : at + 16] + struct.pack(order + "IHBB", 2, 0x0800, 0, 0)
        modified += plain[at + 16 : at + 16 + captured]
        at += 16 + captured
    assert framed_packets(bytes(modified)) == framed_packets(plain)
