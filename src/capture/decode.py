"""From captured bytes to one decoded packet: link layer, IP, layer 4.

Every read is preceded by a check against the end of the packet's own captured bytes.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from capture.layout import Ignored, Number, Rule
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
ETHERTYPE_MPLS: Final = 0x8847
ETHERTYPE_MPLS_MULTICAST: Final = 0x8848
ETHERTYPE_PPPOE_DISCOVERY: Final = 0x8863
ETHERTYPE_PPPOE: Final = 0x8864
ETHERTYPE_QINQ_OLD: Final = 0x9100
FIRST_ETHERTYPE: Final = 0x0600
"""Below it the field is a length."""

PROTOCOL_ICMP: Final = 1
PROTOCOL_IGMP: Final = 2
PROTOCOL_IPIP: Final = 4
PROTOCOL_TCP: Final = 6
PROTOCOL_UDP: Final = 17
PROTOCOL_ICMPV6: Final = 58
PROTOCOL_SCTP: Final = 132

_METERED: Final = int(Ignored.METERED)
_LINK_TYPE: Final = int(Ignored.LINK_TYPE)
_ARP: Final = int(Ignored.ARP)
_NOT_IP: Final = int(Ignored.NOT_IP)
_TRUNCATED: Final = int(Ignored.TRUNCATED)
_MALFORMED: Final = int(Ignored.MALFORMED)
_PPPOE: Final = int(Ignored.PPPOE)
_MPLS: Final = int(Ignored.MPLS)
_LLC: Final = int(Ignored.LLC)
_MAPPED: Final = 0xFFFF00000000
_ICMP_ERRORS: Final = (3, 4, 5, 11, 12)
_ICMP: Final = int(Rule.ICMP)
_IGMP: Final = int(Rule.IGMP)
_SCTP: Final = int(Rule.SCTP)
_NO_WINDOW: Final = int(Rule.NO_WINDOW)
_ZERO_LENGTH: Final = int(Rule.ZERO_LENGTH_IS_PORTLESS)
_PADDING: Final = int(Rule.PADDING_IS_PAYLOAD)

Packet: TypeAlias = Any
Rules: TypeAlias = NDArray[np.int64]


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
def _portless(packet: Packet, protocol: Number, rules: Rules) -> None:
    packet.protocol = protocol
    packet.src_port = 0
    packet.dst_port = 0
    packet.payload = 0
    packet.header = 0
    packet.tcp_flags = 0
    packet.window = rules[_NO_WINDOW]
    packet.icmp_type = -1
    packet.icmp_code = -1


@inlined
def _tcp(block: NDArray[np.uint8], at: Number, end: Number, packet: Packet) -> None:
    header = (np.int64(block[at + 12]) >> 4) * 4
    packet.header = header
    packet.payload = max(end - at - header, 0)
    packet.tcp_flags = np.int64(block[at + 13])
    packet.window = be16(block, at + 14)
    packet.sequence = be32(block, at + 4)
    packet.acknowledged = be32(block, at + 8)


@inlined
def _datagram(payload: Number, header: Number, packet: Packet, rules: Rules) -> None:
    packet.header = header
    packet.payload = payload
    packet.tcp_flags = 0
    packet.window = rules[_NO_WINDOW]


@inlined
def _transport(
    block: NDArray[np.uint8], at: Number, end: Number, protocol: Number, packet: Packet, rules: Rules
) -> Number:
    """Decode layer 4; what the dialect does not tell apart is a host pair's protocol 0."""
    if protocol == PROTOCOL_TCP and at + 20 <= end:
        _tcp(block, at, end, packet)
    elif protocol == PROTOCOL_UDP and at + 8 <= end:
        _datagram(end - at - 8, 8, packet, rules)
    elif protocol == PROTOCOL_SCTP and rules[_SCTP] and at + 12 <= end:
        _datagram(end - at - 12, 12, packet, rules)
    elif protocol in (PROTOCOL_ICMP, PROTOCOL_ICMPV6) and rules[_ICMP] and at + 2 <= end:
        _portless(packet, protocol, rules)
        packet.icmp_type = np.int64(block[at])
        packet.icmp_code = np.int64(block[at + 1])
        return _METERED
    else:
        kept = protocol == PROTOCOL_IGMP and rules[_IGMP]
        _portless(packet, protocol if kept else 0, rules)
        return _METERED
    packet.protocol = protocol
    packet.src_port = be16(block, at)
    packet.dst_port = be16(block, at + 2)
    packet.icmp_type = -1
    packet.icmp_code = -1
    return _METERED


@inlined
def _quoted(block: NDArray[np.uint8], at: Number, end: Number) -> Number:
    """Return where the packet starts that an ICMP error quotes, -1 when it quotes none."""
    quotes = at + 8 + 20 <= end and block[at] in _ICMP_ERRORS and block[at + 8] >> 4 == 4
    return at + 8 if quotes else -1


@inlined
def _outer_addresses(block: NDArray[np.uint8], at: Number, packet: Packet) -> None:
    packet.src_hi = np.uint64(0)
    packet.src_lo = np.uint64(_MAPPED | be32(block, at + 12))
    packet.dst_hi = np.uint64(0)
    packet.dst_lo = np.uint64(_MAPPED | be32(block, at + 16))


@inlined
def _ipv4_header(block: NDArray[np.uint8], at: Number, end: Number) -> Number:
    """Return the length of the header, or the reason to ignore it, negated."""
    if at + 20 > end:
        return -_TRUNCATED
    header = (np.int64(block[at]) & 15) * 4
    if block[at] >> 4 != 4 or header < 20 or at + header > end:
        return -_MALFORMED
    return header


@inlined
def _inside_ipv4(
    block: NDArray[np.uint8], at: Number, end: Number, protocol: Number, rules: Rules
) -> tuple[bool, Number]:
    """Return whether another IPv4 packet is to be decoded, and where (-1: it cannot be)."""
    if protocol == PROTOCOL_IPIP:
        return True, at
    if protocol == PROTOCOL_ICMP and not rules[_ICMP]:
        return True, _quoted(block, at, end)
    return False, at


@inlined
def _ipv4(
    block: NDArray[np.uint8], start: Number, captured_end: Number, packet: Packet, rules: Rules
) -> Number:
    at = start
    end = captured_end
    while at >= 0:
        header = _ipv4_header(block, at, end)
        if header < 0:
            if at == start:
                return -header
            break
        total = be16(block, at + 2)
        # A card that segments leaves the length of what it was handed at 0.
        if total >= header:
            end = min(end, at + total)
        if at == start:
            _outer_addresses(block, at, packet)
        if be16(block, at + 6) & 0x1FFF or (total == 0 and rules[_ZERO_LENGTH]):
            break
        protocol = np.int64(block[at + 9])
        nested, at = _inside_ipv4(block, at + header, end, protocol, rules)
        if not nested:
            return _transport(block, at, captured_end if rules[_PADDING] else end, protocol, packet, rules)
    _portless(packet, 0, rules)
    return _METERED


@inlined
def _ipv6(
    block: NDArray[np.uint8], start: Number, captured_end: Number, packet: Packet, rules: Rules
) -> Number:
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
            _portless(packet, 0, rules)
            return _METERED
        following = np.int64(block[at])
        if protocol == 44:
            if be16(block, at + 2) & 0xFFF8:
                _portless(packet, 0, rules)
                return _METERED
            at += 8
        elif protocol == 51:
            at += (np.int64(block[at + 1]) + 2) * 4
        else:
            at += (np.int64(block[at + 1]) + 1) * 8
        protocol = following
    return _transport(block, at, end, protocol, packet, rules)


@inlined
def _reason_not_ip(kind: Number) -> Number:
    if kind == ETHERTYPE_ARP:
        return _ARP
    if kind in (ETHERTYPE_PPPOE_DISCOVERY, ETHERTYPE_PPPOE):
        return _PPPOE
    if kind in (ETHERTYPE_MPLS, ETHERTYPE_MPLS_MULTICAST):
        return _MPLS
    return _LLC if kind < FIRST_ETHERTYPE else _NOT_IP


@inlined
def decode(
    block: NDArray[np.uint8], start: Number, captured: Number, link: Number, packet: Packet, rules: Rules
) -> Number:
    """Decode `captured` bytes at `start` into `packet`; return 0 or the Ignored reason."""
    end = start + captured
    at, kind = _network_layer(block, start, end, link)
    if at < 0:
        return kind
    if kind == ETHERTYPE_IPV4:
        return _ipv4(block, at, end, packet, rules)
    if kind == ETHERTYPE_IPV6:
        return _ipv6(block, at, end, packet, rules)
    return _reason_not_ip(kind)
