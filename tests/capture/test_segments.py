from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.all import IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw

from capture.framing import frame_ring_block
from capture.layout import packet_index
from capture.segments import FrameCount
from helpers.packets import Packet, connection
from helpers.ring_blocks import TCPV4, TCPV6, UDP_L4, Merged, ring_block

MTU = 1514


@dataclass(frozen=True)
class Framed:
    frames: list[bytes]
    times: list[int]
    counts: dict[str, int]


def frame(
    packets: list[Packet],
    merged: list[Merged],
    *,
    vnet: bool = True,
    capacity: int = 64,
    snaplen: int = 1 << 20,
) -> Framed:
    block = ring_block(packets, merged, snaplen=snaplen)
    index = packet_index(capacity)
    counts = np.zeros(FrameCount.SIZE, np.int64)
    frames: list[bytes] = []
    times: list[int] = []
    done, count = 0, 1
    while count:
        count, done = frame_ring_block(block, 0, done, 1, int(vnet), MTU, index, counts)
        for at in range(count):
            start = int(index.offset[at])
            frames.append(block[start : start + int(index.captured[at])].tobytes())
            times.append(int(index.ts[at]))
    assert done == len(packets)
    names = [count.name.lower() for count in FrameCount if count is not FrameCount.SIZE]
    return Framed(frames, times, dict(zip(names, map(int, counts), strict=True)))


def segments_of(packet: Ether, size: int) -> list[bytes]:
    """What a card does that cuts a segment for the wire, checksums aside."""
    payload = bytes(packet[Raw])
    pieces = [payload[at : at + size] for at in range(0, len(payload), size)]
    cut = []
    for number, piece in enumerate(pieces):
        one = packet.copy()
        one[Raw].load = piece
        if TCP in one:
            one[TCP].seq = (packet[TCP].seq + number * size) % 2**32
            flags = str(packet[TCP].flags)
            gone = ("C" if number else "") + ("FP" if number < len(pieces) - 1 else "")
            one[TCP].flags = "".join(flag for flag in flags if flag not in gone)
        for layer, field in ((IP, "len"), (IPv6, "plen"), (UDP, "len")):
            if layer in one:
                setattr(one[layer], field, None)
        cut.append(bytes(one))
    return cut


def fixed_checksums(packet: Ether) -> Ether:
    for layer in (IP, TCP, UDP):
        if layer in packet:
            packet[layer].chksum = 1
    return packet


@st.composite
def merged_packets(draw: st.DrawFn) -> tuple[Ether, int, int]:
    size = draw(st.integers(100, 1448))
    payload = draw(st.integers(size + 1, 8 * size))
    body = Raw(bytes(number % 251 for number in range(payload)))
    network = draw(st.sampled_from([IP(dst="10.0.0.2"), IPv6(dst="fe80::2")]))
    tags = draw(st.integers(0, 2))
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    for tag in range(tags):
        link = link / Dot1Q(vlan=tag + 5)
    if draw(st.booleans()):
        flags = draw(st.sampled_from(["A", "PA", "FPA", "CA", "CEPA"]))
        options = draw(st.sampled_from([[], [("Timestamp", (1, 2)), ("NOP", None), ("NOP", None)]]))
        seq = draw(st.sampled_from([1, 2**32 - 5]))
        layer4 = TCP(sport=1, dport=2, seq=seq, ack=9, flags=flags, options=options)
        return fixed_checksums(link / network / layer4 / body), size, TCPV4 if IP in network else TCPV6
    return fixed_checksums(link / network / UDP(sport=1, dport=2) / body), size, UDP_L4


@settings(max_examples=150, deadline=None)
@given(merged_packets())
def test_a_merged_frame_becomes_what_a_card_would_have_sent(case: tuple[Ether, int, int]) -> None:
    packet, size, kind = case
    expected = segments_of(packet, size)
    around = connection()[:2]
    framed = frame([around[0], Packet(7, bytes(packet)), around[1]], [Merged(), Merged(kind, size), Merged()])
    assert framed.frames[0] == around[0].frame
    assert framed.frames[-1] == around[1].frame
    got = framed.frames[1:-1]
    assert [len(one) for one in got] == [len(one) for one in expected]
    headers = len(bytes(packet)) - len(packet[Raw].load)
    assert [one[:headers] for one in got] == [one[:headers] for one in expected]
    assert len(set(framed.times[1:-1])) == 1
    counts = framed.counts
    assert (counts["frames"], counts["merged"], counts["segments"]) == (3, 1, len(expected))
    assert counts["oversized"] == 0
    assert counts["above_mtu"] == (len(bytes(packet)) > MTU)


def big_tcp(payload: int) -> Packet:
    packet = Ether() / IP(dst="10.0.0.2") / TCP(sport=1, dport=2, flags="PA") / Raw(bytes(payload))
    return Packet(0, bytes(packet))


@pytest.mark.parametrize(
    ("packet", "merged", "options"),
    [
        (big_tcp(5000), Merged(), {}),
        (big_tcp(5000), Merged(TCPV4, 1000), {"vnet": False}),
        (big_tcp(5000), Merged(TCPV4, 1000), {"snaplen": 2000}),
        (big_tcp(5000), Merged(TCPV4, 40), {}),
        (big_tcp(5000), Merged(TCPV4, 0), {}),
        (big_tcp(50000), Merged(TCPV4, 100), {"capacity": 400}),
        (Packet(0, bytes(Ether(type=0x88B5) / Raw(bytes(3000)))), Merged(TCPV4, 1000), {}),
        (Packet(0, bytes(Ether() / IP(proto=47) / Raw(bytes(3000)))), Merged(TCPV4, 1000), {}),
        (Packet(0, bytes(Ether(type=0x800))), Merged(TCPV4, 1000), {}),
    ],
)  # fmt: skip
def test_what_cannot_be_split_stays_one_packet_and_is_counted(
    packet: Packet, merged: Merged, options: dict[str, int]
) -> None:
    framed = frame([packet], [merged], **options)  # type: ignore[arg-type]
    snaplen = options.get("snaplen", 1 << 20)
    assert framed.frames == [packet.frame[:snaplen]]
    assert framed.counts["oversized"] == 1
    assert framed.counts["merged"] == 0


def test_a_full_index_is_emptied_between_merged_frames() -> None:
    packets = [big_tcp(1000) for _ in range(5)]
    framed = frame(packets, [Merged(TCPV4, 100)] * 5, capacity=15)
    assert [len(one) for one in framed.frames] == [154] * 50
    assert framed.counts == {"frames": 5, "above_mtu": 0, "merged": 5, "segments": 50, "oversized": 0}


def test_ordinary_frames_are_untouched() -> None:
    packets = connection()
    framed = frame(packets, [Merged()] * len(packets), capacity=3)
    assert framed.frames == [packet.frame for packet in packets]
    assert framed.counts == {"frames": 10, "above_mtu": 0, "merged": 0, "segments": 0, "oversized": 0}
