"""The oracle's eyes: captured bytes to packets, one plain step after the other."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))
ICMP, IGMP, IPIP, TCP, UDP, ICMPV6, SCTP = 1, 2, 4, 6, 17, 58, 132
ICMP_ERRORS = (3, 4, 5, 11, 12)
VLAN_TAGS = (0x8100, 0x88A8, 0x9100)
EXTENSION_HEADERS = (0, 43, 44, 51, 60, 135)


@dataclass(frozen=True)
class Sight:
    """What a dialect sees of a packet.

    Attributes:
        knows: protocols that it tells apart besides TCP and UDP.
        reads_quotes: an ICMP error is taken for the packet that it quotes.
        needs_length: a packet whose IP length is 0, as segmentation offload leaves it, has no ports.
        padding_counts: payload is all that follows the layer-4 header to the end of the frame.
        no_window: the window of what is not TCP.
    """

    knows: tuple[int, ...] = (ICMP, ICMPV6)
    reads_quotes: bool = False
    needs_length: bool = False
    padding_counts: bool = False
    no_window: int = 0


@dataclass(frozen=True)
class Packet:
    """One packet that joins a flow. Lengths in bytes, the time in microseconds."""

    time: int
    src: bytes
    dst: bytes
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    payload: int = 0
    header: int = 0
    flags: int = 0
    window: int = 0
    icmp_type: int = -1
    icmp_code: int = -1
    sequence: int = 0
    acknowledged: int = 0

    def has(self, flag: int) -> bool:
        return bool(self.flags & flag)


def pcap_frames(content: bytes) -> list[tuple[int, bytes]]:
    """Return times (truncated to microseconds) and Ethernet frames of a pcap file."""
    order = "<" if content[0] in (0xD4, 0x4D) else ">"
    magic, link = struct.unpack(order + "I16xI", content[:24])
    assert magic in (0xA1B2C3D4, 0xA1B23C4D), "not a pcap file"
    assert link == 1, "not Ethernet"
    ticks_a_microsecond = 1000 if magic == 0xA1B23C4D else 1
    frames = []
    at = 24
    while at < len(content):
        seconds, fraction, captured = struct.unpack(order + "III", content[at : at + 12])
        frames.append(
            (seconds * 1_000_000 + fraction // ticks_a_microsecond, content[at + 16 : at + 16 + captured])
        )
        at += 16 + captured
    return frames


def decode(time: int, frame: bytes, sight: Sight) -> Packet | None:
    """Return the packet of an Ethernet frame, None when it joins no flow."""
    kind, at = _number(frame, 12), 14
    while kind in VLAN_TAGS and len(frame) >= at + 4:
        kind, at = _number(frame, at + 2), at + 4
    if kind == 0x0800:
        return _ipv4(time, frame[at:], sight)
    if kind == 0x86DD:
        return _ipv6(time, frame[at:], sight)
    return None


def _number(data: bytes, at: int, size: int = 2) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _ipv4_header(data: bytes) -> int | None:
    """Return the header's length, None when this is no whole IPv4 header."""
    if len(data) < 20 or data[0] >> 4 != 4:
        return None
    header = (data[0] & 15) * 4
    return header if 20 <= header <= len(data) else None


def _ipv4(time: int, data: bytes, sight: Sight) -> Packet | None:
    header = _ipv4_header(data)
    if header is None:
        return None
    host_pair = Packet(time, data[12:16], data[16:20], window=sight.no_window)
    inner, captured = data, data
    while header is not None:
        length = _number(inner, 2)
        if length >= header:
            inner = inner[:length]
        later_fragment = _number(inner, 6) & 0x1FFF
        if later_fragment or (length == 0 and sight.needs_length):
            return host_pair
        protocol = inner[9]
        body, captured = inner[header:], captured[header:]
        if protocol == IPIP:
            inner = body
        elif protocol == ICMP and sight.reads_quotes:
            quotes = len(body) >= 28 and body[0] in ICMP_ERRORS
            inner, captured = (body[8:], captured[8:]) if quotes else (b"", b"")
        else:
            return _layer_4(host_pair, protocol, captured if sight.padding_counts else body, sight)
        header = _ipv4_header(inner)
    return host_pair


def _ipv6(time: int, data: bytes, sight: Sight) -> Packet | None:
    if len(data) < 40 or data[0] >> 4 != 6:
        return None
    host_pair = Packet(time, data[8:24], data[24:40], window=sight.no_window)
    protocol, length = data[6], _number(data, 4)
    body = data[40 : 40 + length] if length else data[40:]
    while protocol in EXTENSION_HEADERS:
        if len(body) < 8 or (protocol == 44 and _number(body, 2) & 0xFFF8):
            return host_pair
        if protocol == 44:
            size = 8
        elif protocol == 51:
            size = (body[1] + 2) * 4
        else:
            size = (body[1] + 1) * 8
        protocol, body = body[0], body[size:]
    return _layer_4(host_pair, protocol, body, sight)


def _layer_4(host_pair: Packet, protocol: int, body: bytes, sight: Sight) -> Packet:
    """Return the packet with what layer 4 says; what the dialect does not know joins the host pair."""
    ports = {"protocol": protocol, "sport": _number(body, 0), "dport": _number(body, 2)}
    if protocol == TCP and len(body) >= 20:
        header = (body[12] >> 4) * 4
        return replace(
            host_pair,
            **ports,
            header=header,
            payload=max(len(body) - header, 0),
            flags=body[13],
            window=_number(body, 14),
            sequence=_number(body, 4, 4),
            acknowledged=_number(body, 8, 4),
        )
    if protocol == UDP and len(body) >= 8:
        return replace(host_pair, **ports, header=8, payload=len(body) - 8)
    if protocol in sight.knows:
        if protocol == SCTP and len(body) >= 12:
            return replace(host_pair, **ports, header=12, payload=len(body) - 12)
        if protocol in (ICMP, ICMPV6) and len(body) >= 2:
            return replace(host_pair, protocol=protocol, icmp_type=body[0], icmp_code=body[1])
        if protocol == IGMP:
            return replace(host_pair, protocol=IGMP)
    return host_pair
