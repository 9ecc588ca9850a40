"""Framers: from a block of bytes to the places of its packets.

A framer fills a PacketIndex and says how many bytes it is done with. What it leaves is an incomplete
record, which the caller hands over again with more bytes behind it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capture.layout import Number, PacketIndex
from capture.segments import NO_ROOM, FrameCount, split_merged
from flows.jit import inlined, kernel

MAX_CAPTURED: Final = 262_144
"""The largest record libpcap accepts; a longer one is garbage."""

PCAP_HEADER: Final = 24

LATEST_US: Final = 253_402_300_799_999_999
"""The last microsecond of the year 9999."""

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_OBSOLETE: Final = 2
_SIMPLE: Final = 3
_ENHANCED: Final = 6
_LITTLE_ENDIAN_MAGIC: Final = 0x1A2B3C4D
_BIG_ENDIAN_MAGIC: Final = 0x4D3C2B1A
_OPTION_TSRESOL: Final = 9
_OPTION_TSOFFSET: Final = 14

MAX_INTERFACES: Final = 1024


class Framing(IntEnum):
    """Positions in a framer's state."""

    SWAPPED = 0
    """The numbers are big-endian."""
    UNITS_PER_SECOND = 1
    """pcap: 10^6 or 10^9."""
    LINK = 2
    """pcap: the file's link type."""
    INTERFACES = 3
    """pcapng: interfaces of the section."""
    ERROR = 4
    """0, or a FramingError."""
    RECORD_HEADER = 5
    """pcap: bytes before each packet, 16 or, in modified files, 24."""
    SIZE = 6


class FramingError(IntEnum):
    """Why a framer cannot go on; 0 is none."""

    NONE = 0
    RECORD_LENGTH = 1
    BLOCK_LENGTH = 2
    NO_SECTION = 3
    UNKNOWN_INTERFACE = 4
    TOO_MANY_INTERFACES = 5
    TIME = 6


class Interface(IntEnum):
    """Columns of a pcapng section's interfaces."""

    LINK = 0
    UNITS_PER_SECOND = 1
    SNAPLEN = 2
    OFFSET = 3
    """Seconds to add to its times."""
    SIZE = 4


_SWAPPED: Final = int(Framing.SWAPPED)
_UNITS: Final = int(Framing.UNITS_PER_SECOND)
_LINK: Final = int(Framing.LINK)
_INTERFACES: Final = int(Framing.INTERFACES)
_ERROR: Final = int(Framing.ERROR)
_RECORD_HEADER: Final = int(Framing.RECORD_HEADER)
_RECORD_LENGTH: Final = int(FramingError.RECORD_LENGTH)
_BLOCK_LENGTH: Final = int(FramingError.BLOCK_LENGTH)
_NO_SECTION: Final = int(FramingError.NO_SECTION)
_UNKNOWN_INTERFACE: Final = int(FramingError.UNKNOWN_INTERFACE)
_TOO_MANY: Final = int(FramingError.TOO_MANY_INTERFACES)
_TIME: Final = int(FramingError.TIME)
_OF_LINK: Final = int(Interface.LINK)
_OF_UNITS: Final = int(Interface.UNITS_PER_SECOND)
_OF_SNAPLEN: Final = int(Interface.SNAPLEN)
_OF_OFFSET: Final = int(Interface.OFFSET)


@inlined
def _u16(block: NDArray[np.uint8], at: Number, swapped: Number) -> Number:
    low, high = np.int64(block[at]), np.int64(block[at + 1])
    return (low << 8) | high if swapped else (high << 8) | low


@inlined
def _u32(block: NDArray[np.uint8], at: Number, swapped: Number) -> Number:
    first, second = _u16(block, at, swapped), _u16(block, at + 2, swapped)
    return (first << 16) | second if swapped else (second << 16) | first


@kernel
def frame_pcap(
    block: NDArray[np.uint8], start: Number, end: Number, framing: NDArray[np.int64], index: PacketIndex
) -> tuple[Number, Number]:
    """Frame pcap records from `start`; return packets found and where the first unread record is."""
    swapped = framing[_SWAPPED]
    to_us = framing[_UNITS] // 1_000_000
    header = framing[_RECORD_HEADER]
    at = start
    count = 0
    while count < index.offset.shape[0] and at + header <= end:
        captured = _u32(block, at + 8, swapped)
        if captured > MAX_CAPTURED:
            framing[_ERROR] = _RECORD_LENGTH
            break
        if at + header + captured > end:
            break
        seconds = _u32(block, at, swapped)
        index.offset[count] = at + header
        index.captured[count] = captured
        index.ts[count] = seconds * 1_000_000 + _u32(block, at + 4, swapped) // to_us
        index.link[count] = framing[_LINK]
        at += header + captured
        count += 1
    return count, at


@inlined
def _take_options(
    block: NDArray[np.uint8], start: Number, end: Number, swapped: Number, interface: NDArray[np.int64]
) -> None:
    """Read from an interface's options how its times are to be taken."""
    interface[_OF_UNITS] = 1_000_000
    interface[_OF_OFFSET] = 0
    at = start
    while at + 4 <= end:
        code, length = _u16(block, at, swapped), _u16(block, at + 2, swapped)
        if code == 0:
            break
        if code == _OPTION_TSRESOL and length >= 1 and at + 5 <= end:
            power: Number = np.int64(block[at + 4])
            binary = power & 0x80
            interface[_OF_UNITS] = 1 << min(power & 0x7F, 62) if binary else 10 ** min(power, 18)
        elif code == _OPTION_TSOFFSET and length == 8 and at + 12 <= end:
            first, second = _u32(block, at + 4, swapped), _u32(block, at + 8, swapped)
            low, high = (second, first) if swapped else (first, second)
            interface[_OF_OFFSET] = (high << 32) | low
        at += 4 + ((length + 3) & ~3)


@inlined
def _to_us(ticks: Number, units: Number, offset: Number) -> Number:
    """Return UTC microseconds, or -1 for a time before 1970 or after 9999."""
    if units == 1_000_000 and offset == 0:
        return ticks if ticks <= LATEST_US else -1
    latest = LATEST_US // 1_000_000
    seconds = ticks // units
    # Each is bounded before they are added: the sum cannot overflow.
    if not 0 <= seconds <= 2 * latest or not -latest <= offset <= latest:
        return -1
    if not 0 <= seconds + offset <= latest:
        return -1
    fraction = ticks - seconds * units
    if units > 1_000_000_000_000:
        fraction //= units // 1_000_000
    else:
        fraction = fraction * 1_000_000 // units
    return (seconds + offset) * 1_000_000 + min(fraction, 999_999)


@inlined
def _open_section(block: NDArray[np.uint8], at: Number, framing: NDArray[np.int64]) -> None:
    magic = _u32(block, at + 8, 0)
    framing[_INTERFACES] = 0
    if magic == _LITTLE_ENDIAN_MAGIC:
        framing[_SWAPPED] = 0
    elif magic == _BIG_ENDIAN_MAGIC:
        framing[_SWAPPED] = 1
    else:
        framing[_ERROR] = _NO_SECTION


@inlined
def _add_interface(
    block: NDArray[np.uint8],
    at: Number,
    length: Number,
    framing: NDArray[np.int64],
    interfaces: NDArray[np.int64],
) -> None:
    number = framing[_INTERFACES]
    if number == interfaces.shape[0]:
        framing[_ERROR] = _TOO_MANY
        return
    swapped = framing[_SWAPPED]
    interfaces[number, _OF_LINK] = _u16(block, at + 8, swapped)
    interfaces[number, _OF_SNAPLEN] = _u32(block, at + 12, swapped)
    _take_options(block, at + 16, at + length - 4, swapped, interfaces[number])
    framing[_INTERFACES] = number + 1


@inlined
def _place_packet(
    block: NDArray[np.uint8],
    at: Number,
    length: Number,
    kind: Number,
    framing: NDArray[np.int64],
    interfaces: NDArray[np.int64],
    index: PacketIndex,
    count: Number,
) -> bool:
    swapped = framing[_SWAPPED]
    header = 16 if kind == _SIMPLE else 32
    if length < header:
        framing[_ERROR] = _BLOCK_LENGTH
        return False
    number: Number = 0
    if kind == _SIMPLE:
        captured = min(_u32(block, at + 8, swapped), length - header)
    else:
        number = _u32(block, at + 8, swapped) if kind == _ENHANCED else _u16(block, at + 8, swapped)
        captured = _u32(block, at + 20, swapped)
    if number >= framing[_INTERFACES]:
        framing[_ERROR] = _UNKNOWN_INTERFACE
        return False
    if kind == _SIMPLE and interfaces[number, _OF_SNAPLEN]:
        captured = min(captured, interfaces[number, _OF_SNAPLEN])
    if captured > length - header or captured > MAX_CAPTURED:
        framing[_ERROR] = _RECORD_LENGTH
        return False
    index.offset[count] = at + header - 4
    index.captured[count] = captured
    index.link[count] = interfaces[number, _OF_LINK]
    index.ts[count] = 0
    if kind != _SIMPLE:
        ticks = (_u32(block, at + 12, swapped) << 32) | _u32(block, at + 16, swapped)
        index.ts[count] = _to_us(ticks, interfaces[number, _OF_UNITS], interfaces[number, _OF_OFFSET])
        if index.ts[count] < 0:
            framing[_ERROR] = _TIME
            return False
    return True


@inlined
def _take_block(
    block: NDArray[np.uint8],
    at: Number,
    length: Number,
    kind: Number,
    framing: NDArray[np.int64],
    interfaces: NDArray[np.int64],
    index: PacketIndex,
    count: Number,
) -> Number:
    """Take one whole block; return the packets in it."""
    if kind == _INTERFACE:
        if length < 20:
            framing[_ERROR] = _BLOCK_LENGTH
        else:
            _add_interface(block, at, length, framing, interfaces)
        return 0
    return 1 if _place_packet(block, at, length, kind, framing, interfaces, index, count) else 0


@kernel
def frame_pcapng(
    block: NDArray[np.uint8],
    start: Number,
    end: Number,
    framing: NDArray[np.int64],
    interfaces: NDArray[np.int64],
    index: PacketIndex,
) -> tuple[Number, Number]:
    """Frame pcapng blocks from `start`; return packets found and where the next block is.

    `interfaces` is int64, MAX_INTERFACES x Interface.SIZE. A packet without a time, as in a Simple Packet
    Block, has time 0. The next block may lie beyond `end` when the last one holds no packet: its rest is
    to be skipped.
    """
    at = start
    count = 0
    while count < index.offset.shape[0] and at + 12 <= end:
        kind = _u32(block, at, framing[_SWAPPED])
        if kind == _SECTION:
            _open_section(block, at, framing)
        length = _u32(block, at + 4, framing[_SWAPPED])
        of_packets = kind in (_INTERFACE, _ENHANCED, _SIMPLE, _OBSOLETE)
        if length < 12 or length & 3 or (of_packets and length > 2 * MAX_CAPTURED):
            framing[_ERROR] = _BLOCK_LENGTH
        if framing[_ERROR] or (of_packets and at + length > end):
            break
        if of_packets:
            count += _take_block(block, at, length, kind, framing, interfaces, index, count)
            if framing[_ERROR]:
                break
        at += length
    return count, at


_RING_PACKETS: Final = 12
_RING_FIRST: Final = 16
_VNET_TYPE: Final = 9
"""How far before a frame its virtio-net header (linux/virtio_net.h, 10 bytes) has the GSO type."""
_VNET_SEGMENT: Final = 6
_FRAMES: Final = int(FrameCount.FRAMES)
_ABOVE_MTU: Final = int(FrameCount.ABOVE_MTU)
_MERGED: Final = int(FrameCount.MERGED)
_SEGMENTS: Final = int(FrameCount.SEGMENTS)
_OVERSIZED: Final = int(FrameCount.OVERSIZED)


@inlined
def _settle_long_frame(
    ring: NDArray[np.uint8],
    frame: Number,
    length: Number,
    longest: Number,
    vnet: Number,
    index: PacketIndex,
    count: Number,
    counts: NDArray[np.int64],
) -> Number:
    """Split a merged frame, or count one that stays too long; return its entries, or NO_ROOM."""
    segments: Number = 0
    if vnet and ring[frame - _VNET_TYPE] and index.captured[count] == length:
        segments = split_merged(ring, _u16(ring, frame - _VNET_SEGMENT, 0), index, count)
        if segments == NO_ROOM:
            return NO_ROOM
    if length > longest:
        counts[_ABOVE_MTU] += 1
    if segments:
        counts[_MERGED] += 1
        counts[_SEGMENTS] += segments
        return segments
    counts[_OVERSIZED] += 1
    return 1


@kernel
def frame_ring_block(
    ring: NDArray[np.uint8],
    start: Number,
    resume: Number,
    link: Number,
    vnet: Number,
    longest: Number,
    index: PacketIndex,
    counts: NDArray[np.int64],
) -> tuple[Number, Number]:
    """Frame a TPACKET_V3 block at `start` of the ring, after its first `resume` frames.

    Merged frames are split where a virtio-net header precedes them (`vnet`); `longest` is the longest
    frame of the MTU; `counts` are of FrameCount. Returns packets found and how many frames of the block
    are done in all. Layout: linux/if_packet.h, little-endian as every machine that runs this.
    """
    frames = _u32(ring, start + _RING_PACKETS, 0)
    at = start + _u32(ring, start + _RING_FIRST, 0)
    count = 0
    for number in range(frames):
        if number >= resume:
            if count == index.offset.shape[0]:
                return count, number
            frame, length = at + _u16(ring, at + 24, 0), _u32(ring, at + 16, 0)
            index.offset[count] = frame
            index.captured[count] = _u32(ring, at + 12, 0)
            seconds, nanoseconds = _u32(ring, at + 4, 0), _u32(ring, at + 8, 0)
            index.ts[count] = seconds * 1_000_000 + nanoseconds // 1000
            index.link[count] = link
            entries: Number = 1
            if length > longest or (vnet and ring[frame - _VNET_TYPE]):
                entries = _settle_long_frame(ring, frame, length, longest, vnet, index, count, counts)
                if entries == NO_ROOM:
                    return count, number
            counts[_FRAMES] += 1
            count += entries
        at += _u32(ring, at, 0)
    return count, frames
