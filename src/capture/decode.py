"""From captured bytes to one decoded packet: link layer, IP, layer 4.

Every read is preceded by a check against the end of the packet's own captured bytes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capture.layout import Ignored, Number
from flows.jit import inlined

LINK_NULL: Final = 0
LINK_ETHERNET: Final = 1
LINK_RAW_BSD: Final = 12
LINK_RAW_OPENBSD: Final = 14
LINK_RAW: Final = 101
LINK_LOOP: Final = 108
LINK_SLL: Final = 113
LINK_IPV4: Final = 228
LINK_IPV6: Final = 229
LINK_SLL2: Final = 276

ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806
ETHERTYPE_VLAN: Final = 0x8100
ETHERTYPE_IPV6: Final = 0x86DD
ETHERTYPE_QINQ: Final = 0x88A8
ETHERTYPE_QINQ_OLD: Final = 0x9100

PROTOCOL_ICMP: Final = 1
PROTOCOL_IPIP: Final = 4
PROTOCOL_TCP: Final = 6
PROTOCOL_UDP: Final = 17
PROTOCOL_ICMPV6: Final = 58

_METERED: Final = int(Ignored.METERED)
_LINK_TYPE: Final = int(Ignored.LINK_TYPE)
_ARP: Final = int(Ignored.ARP)
_NOT_IP: Final = int(Ignored.NOT_IP)
_TRUNCATED: Final = int(Ignored.TRUNCATED)
_MALFORMED: Final = int(Ignored.MALFORMED)
_MAPPED: Final = 0xFFFF00000000


@inlined
def be16(block: NDArray[np.uint8], at: Number) -> Number:
    """Return the big-endian 16-bit number at `at`."""
    return (np.int64(block[at]) << 8) | np.int64(block[at + 1])


@inlined
def be32(block: NDArray[np.uint8], at: Number) -> Number:
    """Return the big-endian 32-bit number at `at`."""
    return (be16(block, at) << 16) | be16(block, at + 2)


@inlined
def be64(block: NDArray[np.uint8], at: Number) -> np.uint64:
    """Return the big-endian 64-bit number at `at`."""
    return (np.uint64(be32(block, at)) << np.uint64(32)) | np.uint64(be32(block, at + 4))


@inlined
def _link_header(link: Number) -> tuple[Number, Number]:
    """Return a link header's length (-1: unknown) and where its EtherType is (-1: nowhere)."""
    if link == LINK_ETHERNET:
        return 14, 12
    if link == LINK_SLL:
        return 16, 14
    if link == LINK_SLL2:
        return 20, 0
    if link in (LINK_NULL, LINK_LOOP):
        return 4, -1
    if link in (LINK_RAW, LINK_RAW_BSD, LINK_RAW_OPENBSD, LINK_IPV4, LINK_IPV6):
        return 0, -1
    return -1, -1


@inlined
def _network_layer(
    block: NDArray[np.uint8], start: Number, end: Number, link: Number
) -> tuple[Number, Number]:
    """Return where the network layer starts and its EtherType, or -1 and the reason to ignore."""
    length, kind_at = _link_header(link)
    if length < 0:
        return -1, _LINK_TYPE
    at = start + length
    if at >= end:
        return -1, _TRUNCATED
    if kind_at < 0:
        return at, ETHERTYPE_IPV6 if block[at] >> 4 == 6 else ETHERTYPE_IPV4
    kind = be16(block, start + kind_at)
    while kind in (ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD):
        if at + 4 > end:
            return -1, _TRUNCATED
        kind = be16(block, at + 2)
        at += 4
    return at, kind


@inlined
def _portless(packet: Any, protocol: Number) -> None:
    packet.protocol = protocol
    packet.src_port = 0
    packet.dst_port = 0
    packet.payload = 0
    packet.header = 0
    packet.tcp_flags = 0
    packet.window = 0
    packet.icmp_type = -1
    packet.icmp_code = -1


@inlined
def _transport(block: NDArray[np.uint8], at: Number, end: Number, protocol: Number, packet: Any) -> Number:
    """Decode layer 4; what the dialect does not tell apart is a host pair's protocol 0."""
    if protocol == PROTOCOL_TCP and at + 20 <= end:
        header = (np.int64(block[at + 12]) >> 4) * 4
        packet.header = header
        packet.payload = max(end - at - header, 0)
        packet.tcp_flags = np.int64(block[at + 13])
        packet.window = be16(block, at + 14)
    elif protocol == PROTOCOL_UDP and at + 8 <= end:
        packet.header = 8
        packet.payload = end - at - 8
        packet.tcp_flags = 0
        packet.window = 0
    elif protocol in (PROTOCOL_ICMP, PROTOCOL_ICMPV6) and at + 2 <= end:
        _portless(packet, protocol)
        packet.icmp_type = np.int64(block[at])
        packet.icmp_code = np.int64(block[at + 1])
        return _METERED
    else:
        _portless(packet, 0)
        return _METERED
    packet.protocol = protocol
    packet.src_port = be16(block, at)
    packet.dst_port = be16(block, at + 2)
    packet.icmp_type = -1
    packet.icmp_code = -1
    return _METERED


@inlined
def _ipv4(block: NDArray[np.uint8], start: Number, captured_end: Number, packet: Any) -> Number:
    at = start
    end = captured_end
    outermost = True
    while True:
        if at + 20 > end:
            if outermost:
                return _TRUNCATED
            _portless(packet, 0)
            return _METERED
        header = (np.int64(block[at]) & 15) * 4
        if block[at] >> 4 != 4 or header < 20 or at + header > end:
            if outermost:
                return _MALFORMED
            _portless(packet, 0)
            return _METERED
        total = be16(block, at + 2)
        # A card that segments leaves the length of what it was handed at 0.
        if total >= header:
            end = min(end, at + total)
        if outermost:
            packet.src_hi = np.uint64(0)
            packet.src_lo = np.uint64(_MAPPED | be32(block, at + 12))
            packet.dst_hi = np.uint64(0)
            packet.dst_lo = np.uint64(_MAPPED | be32(block, at + 16))
        if be16(block, at + 6) & 0x1FFF:
            _portless(packet, 0)
            return _METERED
        protocol = np.int64(block[at + 9])
        at += header
        if protocol != PROTOCOL_IPIP:
            return _transport(block, at, end, protocol, packet)
        outermost = False


@inlined
def _ipv6(block: NDArray[np.uint8], start: Number, captured_end: Number, packet: Any) -> Number:
    if start + 40 > captured_end:
        return _TRUNCATED
    if block[start] >> 4 != 6:
        return _MALFORMED
    packet.src_hi = be64(block, start + 8)
    packet.src_lo = be64(block, start + 16)
    packet.dst_hi = be64(block, start + 24)
    packet.dst_lo = be64(block, start + 32)
    payload = be16(block, start + 4)
    at = start + 40
    end = min(captured_end, at + payload) if payload else captured_end
    protocol = np.int64(block[start + 6])
    # Hop-by-hop, routing, destination options, mobility; 44 is the fragment header, 51 AH.
    while protocol in (0, 43, 44, 51, 60, 135):
        if at + 8 > end:
            _portless(packet, 0)
            return _METERED
        following = np.int64(block[at])
        if protocol == 44:
            if be16(block, at + 2) & 0xFFF8:
                _portless(packet, 0)
                return _METERED
            at += 8
        elif protocol == 51:
            at += (np.int64(block[at + 1]) + 2) * 4
        else:
            at += (np.int64(block[at + 1]) + 1) * 8
        protocol = following
    return _transport(block, at, end, protocol, packet)


@inlined
def decode(block: NDArray[np.uint8], start: Number, captured: Number, link: Number, packet: Any) -> Number:
    """Decode `captured` bytes at `start` into `packet`; return 0 or the Ignored reason."""
    end = start + captured
    at, kind = _network_layer(block, start, end, link)
    if at < 0:
        return kind
    if kind == ETHERTYPE_IPV4:
        return _ipv4(block, at, end, packet)
    if kind == ETHERTYPE_IPV6:
        return _ipv6(block, at, end, packet)
    if kind == ETHERTYPE_ARP:
        return _ARP
    return _NOT_IP
