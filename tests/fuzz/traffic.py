"""Hostile traffic from bytes: well-formed packets of few hosts, some of them cut, padded or corrupted.

Pure noise hardly passes the first checks of a decoder; this reaches what lies behind them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from capture.dialects import RULES
from capture.framing import LATEST_US
from capture.rules import LiveRules
from fuzz.choices import Choices
from helpers.packets import START_US, ethernet, ip, ipv4, ipv6, tcp_segment, udp_datagram

DIALECTS = tuple(RULES)
LIVE = (
    None,
    LiveRules(),
    LiveRules(
        linger_seconds=0.5, idle_seconds=7.0, early_seconds=(1.0, 2.0, 3.0, 100.0), unanswered_seconds=1.5
    ),
)
V4 = ("10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.3")
V6 = ("2001:db8::1", "2001:db8:0:1::1")
V4_SERVERS, V6_SERVERS = ("10.0.0.2", "10.0.0.2", "10.0.0.1"), ("2001:db8::2",)
PORTS = (80, 80, 80, 65535)
FLAGS = ("S", "SA", "A", "PA", "FA", "R", "RA", "F", "SFRPAUEC", "")
SIZES = (0, 1, 6, 100, 1448)
STEPS = (0, 1, 1000, 999_999, 1_000_001, 5_000_001, 8_000_000, 61_000_000, 120_000_001, -3_000_000)
MAX_PACKETS = 60
ETHERNET, UNKNOWN_LINK = 1, 999


@dataclass(frozen=True)
class HostilePacket:
    """A frame of which `captured` bytes were captured; with `expire` time passes before it."""

    frame: bytes = field(repr=False)
    captured: int
    ts: int
    link: int
    expire: bool


@dataclass(frozen=True)
class Case:
    dialect: str
    live_rules: LiveRules | None
    max_flows: int
    packets: list[HostilePacket]


def traffic_case(data: bytes) -> Case:
    choices = Choices(data)
    dialect, live, max_flows = choices.pick(DIALECTS), choices.pick(LIVE), choices.pick((64, 64, 64, 5, 1))
    ts = START_US
    packets = []
    while choices and len(packets) < MAX_PACKETS:
        ts = choices.below(LATEST_US) if choices.below(64) == 63 else ts + choices.pick(STEPS)
        ts = min(max(ts, 0), LATEST_US)
        frame, link = _linked(choices, _network(choices))
        frame = _corrupted(choices, frame)
        captured = len(frame)
        if choices.rarely():
            # Mostly inside of the headers.
            captured = min(choices.below(choices.pick((100, 100, len(frame) + 1))), len(frame))
        packets.append(HostilePacket(frame, captured, ts, link, choices.rarely()))
    return Case(dialect, live, max_flows, packets)


def _network(choices: Choices) -> bytes:
    clients, servers = (V6, V6_SERVERS) if choices.below(4) == 3 else (V4, V4_SERVERS)
    src, dst = choices.pick(clients), choices.pick(servers)
    if choices.below(2):
        src, dst = dst, src
    protocol, body = _transport(choices, src, dst)
    if choices.below(8) >= 6:
        return _unusual(choices, src, dst, protocol, body)
    return ip(src, dst, protocol, body)


def _transport(choices: Choices, src: str, dst: str) -> tuple[int, bytes]:
    sport, dport = choices.pick(PORTS), choices.pick(PORTS)
    kind = choices.below(8)
    if kind < 4:
        options = bytes(choices.pick((0, 12, 40)))
        window = choices.pick((1000, 0, 65535))
        flags, size = choices.pick(FLAGS), choices.pick(SIZES)
        segment = bytearray(tcp_segment(sport, dport, flags, bytes(size), window, options))
        segment[4:12] = choices.pick((bytes(8), b"\xff" * 8, choices.take(8)))
        return 6, bytes(segment)
    if kind == 4:
        return 17, udp_datagram(sport, dport, bytes(choices.pick(SIZES)))
    if kind == 5:
        quoted = ip(dst, src, 6, tcp_segment(sport, dport))
        head = bytes([choices.pick((8, 0, 3, 11, 135)), choices.below(16)]) + bytes(6)
        return choices.pick((1, 58)), head + quoted
    if kind == 6:
        return 132, struct.pack(">HHII", sport, dport, 0, 0) + bytes(choices.pick(SIZES))
    return choices.below(256), choices.take(choices.below(64))


def _unusual(choices: Choices, src: str, dst: str, protocol: int, body: bytes) -> bytes:
    """Fragments, options, extension headers, packets in packets."""
    if ":" in src:
        extension = bytes([protocol, choices.pick((0, 0, 1, 255))]) + choices.take(6)
        return ipv6(src, dst, choices.pick((44, 0, 43, 51, 60, 135)), extension + body)
    if choices.below(2):
        fragment, options = choices.pick((0x2000, 0x2001, 0x4000)), bytes(choices.pick((0, 4, 40)))
        return ipv4(src, dst, protocol, body, fragment=fragment, options=options)
    inner = ipv4(dst, src, protocol, body)
    return ipv4(src, dst, 4, inner if choices.below(2) else ipv4(src, dst, 4, inner))


def _linked(choices: Choices, packet: bytes) -> tuple[bytes, int]:
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    shape = choices.below(32)
    if shape < 24 or shape > 29:
        return ethernet(packet), ETHERNET
    if shape == 24:
        return ethernet(packet, tags=choices.pick(((0x8100,), (0x88A8, 0x8100), (0x9100,) * 9))), ETHERNET
    other = {
        25: (bytes(14) + kind + packet, 113),
        26: (kind + bytes(18) + packet, 276),
        27: (b"\x02\0\0\0" + packet, 0),
        28: (packet, choices.pick((101, 12, 14, 228, 229))),
        29: (packet, UNKNOWN_LINK),
    }
    return other[shape]


def _corrupted(choices: Choices, frame: bytes) -> bytes:
    if not choices.rarely():
        return frame
    changed = bytearray(frame + choices.take(choices.pick((0, 6, 30))))
    for _ in range(choices.below(4)):
        # Headers are where it matters.
        changed[choices.below(min(len(changed), 80))] = choices.below(256)
    return bytes(changed)
