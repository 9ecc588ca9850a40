"""Packets, captures and meters in one line each."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from capture.blocks import BlockReader
from capture.layout import packet_index
from capture.meter import FlowMeter
from capture.rules import LiveRules
from flows.table import FlowTable, concat_tables

START_US = 1_767_603_600_000_000
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32, "E": 64, "C": 128}
ETHERNET = bytes.fromhex("020000000002020000000001")


@dataclass(frozen=True)
class Packet:
    """A captured frame and its time in microseconds after START_US."""

    at_us: int
    frame: bytes = field(repr=False)


def ipv4(src: str, dst: str, protocol: int, body: bytes, *, fragment: int = 0, options: bytes = b"") -> bytes:
    header = struct.pack(
        ">BBHHHBBH4s4s",
        0x45 + len(options) // 4,
        0,
        20 + len(options) + len(body),
        0,
        fragment,
        64,
        protocol,
        0,
        ip_address(src).packed,
        ip_address(dst).packed,
    )
    return header + options + body


def ipv6(src: str, dst: str, protocol: int, body: bytes) -> bytes:
    return (
        struct.pack(">IHBB", 6 << 28, len(body), protocol, 64)
        + ip_address(src).packed
        + ip_address(dst).packed
        + body
    )


def ip(src: str, dst: str, protocol: int, body: bytes) -> bytes:
    return (ipv6 if ":" in src else ipv4)(src, dst, protocol, body)


def ethernet(packet: bytes, *, tags: Sequence[int] = ()) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    vlan = b"".join(struct.pack(">HH", tag, 7) for tag in tags)
    return ETHERNET + vlan + struct.pack(">H", kind) + packet


def tcp_segment(
    sport: int, dport: int, flags: str = "A", payload: bytes = b"", window: int = 1000, options: bytes = b""
) -> bytes:
    bits = sum(FLAGS[letter] for letter in flags)
    offset = (20 + len(options)) // 4 << 4
    return struct.pack(">HHIIBBHHH", sport, dport, 0, 0, offset, bits, window, 0, 0) + options + payload


def udp_datagram(sport: int, dport: int, payload: bytes = b"") -> bytes:
    return struct.pack(">HHHH", sport, dport, 8 + len(payload), 0) + payload


CLIENT = ("10.0.0.1", 40000)
SERVER = ("10.0.0.2", 80)
Endpoint = tuple[str, int]


def tcp(
    at_us: int,
    flags: str = "A",
    payload: int = 0,
    *,
    src: Endpoint = CLIENT,
    dst: Endpoint = SERVER,
    window: int = 1000,
) -> Packet:
    segment = tcp_segment(src[1], dst[1], flags, bytes(payload), window)
    return Packet(at_us, ethernet(ip(src[0], dst[0], 6, segment)))


def reply(at_us: int, flags: str = "A", payload: int = 0, window: int = 2000) -> Packet:
    return tcp(at_us, flags, payload, src=SERVER, dst=CLIENT, window=window)


def udp(at_us: int, payload: int = 0, *, src: Endpoint = CLIENT, dst: Endpoint = SERVER) -> Packet:
    return Packet(at_us, ethernet(ip(src[0], dst[0], 17, udp_datagram(src[1], dst[1], bytes(payload)))))


def icmp(at_us: int, kind: int = 8, code: int = 0, *, src: str = CLIENT[0], dst: str = SERVER[0]) -> Packet:
    return Packet(at_us, ethernet(ip(src, dst, 1, bytes([kind, code]) + bytes(6))))


def connection(at_us: int = 0, port: int = 40000) -> list[Packet]:
    """A whole TCP connection: handshake, a request, an answer, orderly close; 10 packets, 9 ms."""
    client = (CLIENT[0], port)

    def there(ms: int, flags: str, payload: int = 0) -> Packet:
        return tcp(at_us + ms * 1000, flags, payload, src=client)

    def back(ms: int, flags: str, payload: int = 0) -> Packet:
        return tcp(at_us + ms * 1000, flags, payload, src=SERVER, dst=client)

    return [
        there(0, "S"),
        back(1, "SA"),
        there(2, "A"),
        there(3, "PA", 100),
        back(4, "A"),
        back(5, "PA", 1000),
        there(6, "A"),
        there(7, "FA"),
        back(8, "FA"),
        there(9, "A"),
    ]


def pcap(
    packets: Iterable[Packet],
    *,
    order: str = "<",
    nanoseconds: bool = False,
    link: int = 1,
    snaplen: int = 262144,
) -> bytes:
    """The bytes of a pcap file."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snaplen, link)]
    for packet in packets:
        seconds, us = divmod(START_US + packet.at_us, 1_000_000)
        frame = packet.frame[:snaplen]
        fraction = us * 1000 + 999 if nanoseconds else us
        parts.append(struct.pack(order + "IIII", seconds, fraction, len(frame), len(packet.frame)) + frame)
    return b"".join(parts)


def _pcapng_block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def pcapng(
    packets: Iterable[Packet], *, order: str = "<", tsresol: int | None = None, link: int = 1
) -> bytes:
    """The bytes of a pcapng file of one section and one interface."""
    options = b""
    if tsresol is not None:
        options = struct.pack(order + "HHB3x", 9, 1, tsresol) + struct.pack(order + "HH", 0, 0)
    units = 10**6 if tsresol is None else (2 ** (tsresol & 0x7F) if tsresol & 0x80 else 10**tsresol)
    blocks = [
        _pcapng_block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1)),
        _pcapng_block(order, 1, struct.pack(order + "HHI", link, 0, 0) + options),
    ]
    for packet in packets:
        # Rounded up, as a clock finer than microseconds truncates back to them.
        ticks = -(-(START_US + packet.at_us) * units // 1_000_000)
        head = struct.pack(
            order + "IIIII", 0, ticks >> 32, ticks & 0xFFFFFFFF, len(packet.frame), len(packet.frame)
        )
        blocks.append(_pcapng_block(order, 6, head + packet.frame))
    return b"".join(blocks)


def feed(meter: FlowMeter, packets: Sequence[Packet], link: int = 1) -> list[FlowTable]:
    """Give packets to a meter and take what it emits."""
    block = np.frombuffer(b"".join(packet.frame for packet in packets) or b"\0", np.uint8).copy()
    index = packet_index(max(len(packets), 1))
    offset = 0
    for at, packet in enumerate(packets):
        index.offset[at], index.captured[at] = offset, len(packet.frame)
        index.ts[at], index.link[at] = START_US + packet.at_us, link
        offset += len(packet.frame)
    return [*meter.feed(block, index, len(packets)), *meter.drain()]


def metered(packets: Sequence[Packet], *, live_rules: LiveRules | None = None, link: int = 1) -> FlowTable:
    """The flows of some packets, flushed."""
    meter = FlowMeter(live_rules=live_rules)
    return concat_tables([*feed(meter, packets, link), *meter.flush(), empty_table()])


def empty_table() -> FlowTable:
    meter = FlowMeter()
    return meter._drain()


def write_capture(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def framed_packets(content: bytes) -> list[tuple[int, bytes]]:
    """What a BlockReader finds in a capture: times and frames."""
    import io

    found = []
    for block, index, count in BlockReader(io.BytesIO(content), "test"):
        for at in range(count):
            start = int(index.offset[at])
            frame = block[start : start + int(index.captured[at])].tobytes()
            found.append((int(index.ts[at]) - START_US, frame))
    return found
