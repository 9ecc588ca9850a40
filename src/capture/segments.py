"""Segments that the card or the kernel merged (GRO, LRO) or did not cut yet (TSO), split again.

Splitting happens in place: a copy of the headers goes before each segment's payload, over the end of the
payload before it, of which a meter only reads the length.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capture.decode import (
    ETHERTYPE_QINQ,
    ETHERTYPE_QINQ_OLD,
    ETHERTYPE_VLAN,
    LINK_ETHERNET,
    PROTOCOL_TCP,
    PROTOCOL_UDP,
    be16,
    be32,
)
from capture.layout import Number, PacketIndex
from capture.update import CWR, FIN, PSH
from flows.jit import inlined


class FrameCount(IntEnum):
    """Positions in the counters of what the kernel handed over."""

    FRAMES = 0
    ABOVE_MTU = 1
    MERGED = 2
    """Frames that were split."""
    SEGMENTS = 3
    """What they were split into."""
    OVERSIZED = 4
    """Frames merged or above the MTU that could not be split; each counts as one packet."""
    SIZE = 5


NO_ROOM: Final = -1
_WHOLE: Final = 0
_ETHERNET_HEADER: Final = 14
_IPV4_HEADER: Final = 20
_IPV6_HEADER: Final = 40
_UDP_HEADER: Final = 8
_TCP_HEADER: Final = 20


@inlined
def _network_start(block: NDArray[np.uint8], start: Number, end: Number, link: Number) -> Number:
    """Return where IP starts; the bytes up to `end` may be too few for it."""
    if link != LINK_ETHERNET:
        return start
    at = start + _ETHERNET_HEADER
    while at + 4 <= end and be16(block, at - 2) in (ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD):
        at += 4
    return at


@inlined
def _payload_start(block: NDArray[np.uint8], ip: Number, end: Number) -> tuple[Number, Number, Number]:
    """Return the start of the transport header, of its payload, and the protocol; 0 when unknown."""
    if ip + _IPV6_HEADER + _TCP_HEADER > end:
        return 0, 0, 0
    if block[ip] >> 4 == 4:
        length: Number = (np.int64(block[ip]) & 15) * 4
        protocol = np.int64(block[ip + 9])
    elif block[ip] >> 4 == 6:
        length = _IPV6_HEADER
        protocol = np.int64(block[ip + 6])
    else:
        return 0, 0, 0
    transport = ip + length
    if length < _IPV4_HEADER or transport + _TCP_HEADER > end:
        return 0, 0, 0
    if protocol == PROTOCOL_TCP:
        header = (np.int64(block[transport + 12]) >> 4) * 4
        if header < _TCP_HEADER or transport + header >= end:
            return 0, 0, 0
        return transport, transport + header, protocol
    if protocol == PROTOCOL_UDP:
        return transport, transport + _UDP_HEADER, protocol
    return 0, 0, 0


@inlined
def _put16(block: NDArray[np.uint8], at: Number, value: Number) -> None:
    block[at] = (value >> 8) & 0xFF
    block[at + 1] = value & 0xFF


@inlined
def _put_lengths(block: NDArray[np.uint8], ip: Number, transport: Number, end: Number) -> None:
    if block[ip] >> 4 == 4:
        _put16(block, ip + 2, end - ip)
    else:
        _put16(block, ip + 4, end - ip - _IPV6_HEADER)
    if block[ip + (9 if block[ip] >> 4 == 4 else 6)] == PROTOCOL_UDP:
        _put16(block, transport + 4, end - transport)


@inlined
def _put_tcp(block: NDArray[np.uint8], transport: Number, sequence: Number, cleared: Number) -> None:
    _put16(block, transport + 4, sequence >> 16)
    _put16(block, transport + 6, sequence)
    block[transport + 13] = np.int64(block[transport + 13]) & (0xFF ^ cleared)


@inlined
def _cut(
    block: NDArray[np.uint8],
    start: Number,
    ip: Number,
    transport: Number,
    payload: Number,
    end: Number,
    size: Number,
    index: PacketIndex,
    count: Number,
) -> None:
    """Write the segments after the first, then shorten the first; see linux tcp_gso_segment for flags."""
    headers = payload - start
    is_tcp = block[ip + (9 if block[ip] >> 4 == 4 else 6)] == PROTOCOL_TCP
    sequence = be32(block, transport + 4)
    segments = (end - payload + size - 1) // size
    for number in range(segments - 1, -1, -1):
        data = payload + number * size
        data_end = min(data + size, end)
        at = data - headers
        if number:
            for byte in range(headers):
                block[at + byte] = block[start + byte]
        moved = at - start
        _put_lengths(block, ip + moved, transport + moved, data_end)
        if is_tcp:
            cleared = (FIN | PSH if number < segments - 1 else 0) | (CWR if number else 0)
            _put_tcp(block, transport + moved, (sequence + number * size) & 0xFFFFFFFF, cleared)
        index.offset[count + number] = at
        index.captured[count + number] = data_end - at
        index.ts[count + number] = index.ts[count]
        index.link[count + number] = index.link[count]


@inlined
def split_merged(block: NDArray[np.uint8], size: Number, index: PacketIndex, count: Number) -> Number:
    """Split the whole frame at entry `count` of the index into segments of `size` bytes of payload.

    Returns the entries it takes now: 0 when it cannot be split, and NO_ROOM when the index must be
    emptied first.
    """
    start = index.offset[count]
    end = start + index.captured[count]
    ip = _network_start(block, start, end, index.link[count])
    transport, payload, protocol = _payload_start(block, ip, end)
    # Headers longer than a segment would be copied over those of the segment before it.
    if protocol == 0 or size < payload - start:
        return _WHOLE
    segments = (end - payload + size - 1) // size
    if segments > index.offset.shape[0]:
        return _WHOLE
    if count + segments > index.offset.shape[0]:
        return NO_ROOM
    _cut(block, start, ip, transport, payload, end, size, index, count)
    return segments
