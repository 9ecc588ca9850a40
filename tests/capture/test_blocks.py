from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.blocks import BLOCK_BYTES, BlockReader
from helpers.packets import Packet, connection, framed_packets, pcap, pcapng, udp

PACKETS = connection()
EXPECTED = [(packet.at_us, packet.frame) for packet in PACKETS]


def problem_of(content: bytes) -> tuple[int, str | None]:
    reader = BlockReader(io.BytesIO(content), "x.pcap")
    return sum(block.packets for block in reader), reader.problem


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time, as a socket does."""

    def __init__(self, content: bytes, step: int) -> None:
        super().__init__()
        self._content, self._step = io.BytesIO(content), step

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._content.readinto(buffer[: self._step])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap(order: str, nanoseconds: bool) -> None:
    assert framed_packets(pcap(PACKETS, order=order, nanoseconds=nanoseconds)) == EXPECTED


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("tsresol", [None, 3, 6, 9, 0x80 | 20, 0x80 | 32])
def test_pcapng(order: str, tsresol: int | None) -> None:
    found = framed_packets(pcapng(PACKETS, order=order, tsresol=tsresol))
    assert [frame for _, frame in found] == [frame for _, frame in EXPECTED]
    assert [at for at, _ in found] == [at for at, _ in EXPECTED]


def test_pcapng_sections_follow_each_other() -> None:
    assert framed_packets(pcapng(PACKETS, order="<") + pcapng(PACKETS, order=">")) == EXPECTED * 2


def test_a_large_block_without_packets_is_skipped() -> None:
    length = 3 * BLOCK_BYTES + 12
    custom = struct.pack("<II", 0x0BAD, length) + bytes(length - 12) + struct.pack("<I", length)
    head, section = pcapng([]), pcapng(PACKETS)
    assert framed_packets(head + custom + section) == EXPECTED


@given(st.integers(1, 5000))
@settings(max_examples=25, deadline=None)
def test_records_across_reads_are_put_together(step: int) -> None:
    packets = [udp(n, n % 1400) for n in range(50)]
    for content in (pcap(packets), pcapng(packets)):
        reader = BlockReader(Trickle(content, step), "x")
        assert sum(block.packets for block in reader) == 50
        assert (reader.problem, reader.bytes_read) == (None, len(content))


def test_more_than_one_block() -> None:
    packets = [udp(n, 1400) for n in range(2500)]
    assert len(framed_packets(pcap(packets))) == 2500


@pytest.mark.parametrize("make", [pcap, pcapng])
def test_a_cut_file_gives_what_is_whole(make) -> None:  # type: ignore[no-untyped-def]
    content = make(PACKETS)
    count, problem = problem_of(content[:-3])
    assert count == 9
    assert problem is not None
    assert "cut off inside a record" in problem


def test_a_cut_skipped_block_is_told() -> None:
    custom = struct.pack("<II", 0x0BAD, 8 * BLOCK_BYTES) + bytes(100)
    assert "cut off" in str(problem_of(pcapng(PACKETS) + custom)[1])


def test_a_lying_record_length_stops_the_reading() -> None:
    content = bytearray(pcap(PACKETS))
    first = len(PACKETS[0].frame)
    at = 24 + 16 + first + 8
    content[at : at + 4] = struct.pack("<I", 0x7FFFFFFF)
    count, problem = problem_of(bytes(content))
    assert count == 1
    assert problem is not None
    assert f"impossible length near byte {24 + 16 + first}" in problem


@pytest.mark.parametrize("length", [0, 8, 13, 0xFFFFFFFC])
def test_a_lying_block_length_stops_the_reading(length: int) -> None:
    content = bytearray(pcapng(PACKETS))
    at = 28 + 20
    content[at + 4 : at + 8] = struct.pack("<I", length)
    count, problem = problem_of(bytes(content))
    assert count == 0
    assert problem is not None
    assert "impossible length" in problem


def test_a_packet_of_an_unknown_interface_stops_the_reading() -> None:
    content = bytearray(pcapng([Packet(0, bytes(60))]))
    content[28 + 20 + 8 : 28 + 20 + 12] = struct.pack("<I", 5)
    assert "interface that was not described" in str(problem_of(bytes(content))[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"Timestamp,Src IP\n1,2\n", "not a pcap or pcapng capture"),
        (b"\x1f\x8b\x08\x00 something", "not a pcap or pcapng capture"),
        (b"ab", "not a pcap or pcapng capture"),
        (pcap([])[:10], "cut off inside the pcap file header"),
    ],
)
def test_what_is_no_capture_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"x.pcap: .*{message}"):
        BlockReader(io.BytesIO(content), "x.pcap")


@given(st.binary(max_size=400), st.sampled_from([pcap, pcapng]))
@settings(max_examples=300, deadline=None)
def test_garbage_behind_a_header_never_crashes(garbage: bytes, make) -> None:  # type: ignore[no-untyped-def]
    reader = BlockReader(io.BytesIO(make(PACKETS[:2]) + garbage), "x")
    found = sum(block.packets for block in reader)
    assert found >= 2
    assert reader.bytes_read <= 10_000
