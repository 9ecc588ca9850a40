"""The most recent packets, kept in bounded memory so that an alert can bring its evidence along.

A store is one ring of bytes: each frame stands behind a header of three words (time, lengths, link type)
and the oldest frames make room for the newest. The capture thread writes, any thread reads; the lock that
they share is never held for longer than a block takes to copy.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv6Address, ip_address
from os import PathLike
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from capture.decode import decode
from capture.dialects import rule_values
from capture.flow_table import same_key
from capture.layout import PACKET, Number, Records, Rule, records
from capture.options import WHOLE_PACKETS
from flows.dialects import IMPROVED
from flows.jit import inlined, kernel

MAX_PACKETS: Final = 200
"""The most packets that are written of one flow."""

_CHUNK: Final = 2048
_WORD: Final = 8
_HEADER_WORDS: Final = 3
_HEADER: Final = _HEADER_WORDS * _WORD
_SKIP: Final = -1
"""Instead of a time: the rest of the memory's end is empty."""

RING_PACKETS: Final = 12
"""Where a TPACKET_V3 block says how many frames it has."""

_RING_FIRST: Final = 16


class _State(IntEnum):
    """Positions in a store's state; HEAD and TAIL count all bytes since the start."""

    HEAD = 0
    TAIL = 1
    PACKETS = 2
    SIZE = 3


_HEAD: Final = int(_State.HEAD)
_TAIL: Final = int(_State.TAIL)
_PACKETS: Final = int(_State.PACKETS)


@dataclass(frozen=True, slots=True)
class FiveTuple:
    """A flow, in both directions; ports are 0 where the protocol has none."""

    src: str
    src_port: int
    dst: str
    dst_port: int
    protocol: int


class Wanted(NamedTuple):
    """Which packets are asked for: those of a flow between two times, UTC microseconds, both included."""

    flow: FiveTuple
    from_us: int
    to_us: int


class Frame(NamedTuple):
    """A frame as it was captured.

    Attributes:
        ts_us: UTC microseconds.
        length: its bytes on the wire.
        link: its link type.
        data: what was captured of it.
    """

    ts_us: int
    length: int
    link: int
    data: bytes


@dataclass(frozen=True, slots=True)
class EvidenceStatus:
    """What a store holds.

    Attributes:
        packets: frames kept.
        bytes: memory they take.
        limit_bytes: memory they may take.
        oldest_us: time of the oldest frame, UTC microseconds; None without one.
    """

    packets: int
    bytes: int
    limit_bytes: int
    oldest_us: int | None


@inlined
def _u32(ring: NDArray[np.uint8], at: Number) -> Number:
    low = np.int64(ring[at]) | (np.int64(ring[at + 1]) << 8)
    return low | (np.int64(ring[at + 2]) << 16) | (np.int64(ring[at + 3]) << 24)


@inlined
def _record_bytes(captured: Number) -> Number:
    return _HEADER + ((captured + _WORD - 1) & ~(_WORD - 1))


@inlined
def _following(words: NDArray[np.int64], position: Number) -> Number:
    """Return the position after the record or the empty end at `position`."""
    size = words.shape[0] * _WORD
    word = position % size // _WORD
    if words[word] == _SKIP:
        return (position // size + 1) * size
    return position + _record_bytes(words[word + 1] & 0xFFFFFFFF)


@inlined
def _make_room(words: NDArray[np.int64], needed: Number, state: NDArray[np.int64]) -> None:
    while state[_HEAD] + needed - state[_TAIL] > words.shape[0] * _WORD:
        if words[state[_TAIL] % (words.shape[0] * _WORD) // _WORD] != _SKIP:
            state[_PACKETS] -= 1
        state[_TAIL] = _following(words, state[_TAIL])


@inlined
def _place(words: NDArray[np.int64], needed: Number, state: NDArray[np.int64]) -> Number:
    """Make room for a record that does not cross the memory's end; return where it goes."""
    size = words.shape[0] * _WORD
    rest = size - state[_HEAD] % size
    if needed > rest:
        _make_room(words, rest, state)
        words[(size - rest) // _WORD] = _SKIP
        state[_HEAD] += rest
    _make_room(words, needed, state)
    return state[_HEAD] % size


@kernel
def keep_ring_block(
    ring: NDArray[np.uint8],
    start: Number,
    link: Number,
    snaplen: Number,
    memory: NDArray[np.uint8],
    words: NDArray[np.int64],
    state: NDArray[np.int64],
) -> None:
    """Copy the frames of the TPACKET_V3 block at `start` of the ring, at most `snaplen` bytes of each.

    `words` is a view of `memory`.
    """
    at = start + _u32(ring, start + _RING_FIRST)
    for _ in range(_u32(ring, start + RING_PACKETS)):
        captured = min(_u32(ring, at + 12), snaplen)
        needed = _record_bytes(captured)
        if needed <= memory.shape[0]:
            place = _place(words, needed, state)
            word = place // _WORD
            words[word] = _u32(ring, at + 4) * 1_000_000 + _u32(ring, at + 8) // 1000
            words[word + 1] = captured | (_u32(ring, at + 16) << 32)
            words[word + 2] = link
            frame = at + (_u32(ring, at + 24) & 0xFFFF)
            memory[place + _HEADER : place + _HEADER + captured] = ring[frame : frame + captured]
            state[_HEAD] += needed
            state[_PACKETS] += 1
        at += _u32(ring, at)


@kernel
def find_frames(
    memory: NDArray[np.uint8],
    words: NDArray[np.int64],
    first: Number,
    state: NDArray[np.int64],
    wanted: Records,
    periods: NDArray[np.int64],
    left: NDArray[np.int64],
    rules: NDArray[np.int64],
    found: NDArray[np.int64],
) -> tuple[Number, Number]:
    """Look for frames of n flows in the next few records from position `first`.

    `wanted` has their five-tuples, and a last row to decode into; `periods`, n x 2, from and to in
    microseconds; `left` how many frames of each may still be found, which is counted down. Returns the
    position to go on from, and how many places in memory were written to `found`, which has room for a chunk
    of records.
    """
    earliest, latest = periods[:, 0].min(), periods[:, 1].max()
    position = max(first, state[_TAIL])
    count = 0
    for _ in range(_CHUNK):
        if position >= state[_HEAD]:
            break
        place = position % memory.shape[0]
        word = place // _WORD
        if words[word] >= earliest and words[word] <= latest:
            captured = words[word + 1] & 0xFFFFFFFF
            packet = wanted[periods.shape[0]]
            if decode(memory, place + _HEADER, captured, words[word + 2], packet, rules) == 0:
                for flow in range(periods.shape[0]):
                    within = words[word] >= periods[flow, 0] and words[word] <= periods[flow, 1]
                    if within and left[flow] > 0 and same_key(wanted[flow], packet):
                        found[count] = place
                        count += 1
                        left[flow] -= 1
                        break
        position = _following(words, position)
    return position, count


def _keys(flows: Sequence[FiveTuple]) -> Records:
    """Return the keys of n flows, and a row for a packet."""
    keys = records(len(flows) + 1, PACKET)
    for key, flow in zip(keys, flows, strict=False):
        for side, address, port in (("src", flow.src, flow.src_port), ("dst", flow.dst, flow.dst_port)):
            given = ip_address(address)
            packed = (given if given.version == 6 else IPv6Address(f"::ffff:{given}")).packed
            key[f"{side}_hi"] = int.from_bytes(packed[:8], "big")
            key[f"{side}_lo"] = int.from_bytes(packed[8:], "big")
            key[f"{side}_port"] = port
        key.protocol = flow.protocol
    return keys


class EvidenceStore:
    """The most recent frames of one interface. One thread may write; any may read."""

    def __init__(self, limit_bytes: int, *, snaplen: int = WHOLE_PACKETS, dialect: str = IMPROVED) -> None:
        """Reserve the memory; the system gives it when it is first written.

        Args:
            limit_bytes: how much, at least a few frames.
            snaplen: bytes kept of each frame.
            dialect: whose rules tell five-tuples apart.
        """
        self._snaplen = snaplen
        self._words = np.zeros(limit_bytes // _WORD, np.int64)
        self._memory = self._words.view(np.uint8)
        self._state = np.zeros(_State.SIZE, np.int64)
        self._rules = np.concatenate([np.zeros(Rule.CLOSE, np.int64), rule_values(dialect)])
        self._lock = threading.Lock()

    def keep(self, ring: NDArray[np.uint8], start: int, link: int) -> None:
        """Copy the frames of a TPACKET_V3 block."""
        with self._lock:
            keep_ring_block(ring, start, link, self._snaplen, self._memory, self._words, self._state)

    def status(self) -> EvidenceStatus:
        """Return what is kept."""
        with self._lock:
            head, tail, packets = (int(value) for value in self._state)
            oldest = self._words[tail % self._memory.size // _WORD] if packets else None
            if oldest == _SKIP:
                oldest = self._words[0]
        return EvidenceStatus(
            packets=packets,
            bytes=head - tail,
            limit_bytes=self._memory.size,
            oldest_us=None if oldest is None else int(oldest),
        )

    def frames(self, wanted: Sequence[Wanted]) -> Iterator[Frame]:
        """Yield the first frames of flows, at most MAX_PACKETS of each, in the order they came.

        Raises:
            ValueError: an address of a flow is none.
        """
        if not wanted:
            return
        keys = _keys([each.flow for each in wanted])
        periods = np.array([(each.from_us, each.to_us) for each in wanted], np.int64)
        left = np.full(len(wanted), MAX_PACKETS, np.int64)
        found = np.zeros(_CHUNK, np.int64)
        position, newest = 0, int(self._state[_HEAD])
        while position < newest and left.any():
            with self._lock:
                position, count = find_frames(
                    *(self._memory, self._words, position, self._state),
                    *(keys, periods, left, self._rules, found),
                )
                frames = [self._frame(int(place)) for place in found[:count]]
            yield from frames

    def _frame(self, place: int) -> Frame:
        ts_us, lengths, link = (int(word) for word in self._words[place // _WORD :][:_HEADER_WORDS])
        data = self._memory[place + _HEADER :][: lengths & 0xFFFFFFFF].tobytes()
        return Frame(ts_us, lengths >> 32, link, data)


def write_evidence(
    stores: Sequence[EvidenceStore], wanted: Sequence[Wanted], path: str | PathLike[str]
) -> int:
    """Write what is kept of flows as pcap, at most MAX_PACKETS of each; return the packets written.

    The file is readable by its owner only, and complete when it appears. It has one link type: the first
    packet's; packets of another are left out.

    Args:
        stores: where to look.
        wanted: the flows, and from when to when.
        path: the file; not made when there is no packet.

    Raises:
        ValueError: an address of a flow is none.
        OSError: the file cannot be written.
    """
    frames = sorted(frame for store in stores for frame in store.frames(wanted))
    frames = [frame for frame in frames if frame.link == frames[0].link][: MAX_PACKETS * len(wanted)]
    if frames:
        _write_pcap(Path(path), frames)
    return len(frames)


def _write_pcap(path: Path, frames: Sequence[Frame]) -> None:
    longest = max(len(frame.data) for frame in frames)
    parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, longest, frames[0].link)]
    for frame in frames:
        seconds, us = divmod(frame.ts_us, 1_000_000)
        parts += (struct.pack("<IIII", seconds, us, len(frame.data), frame.length), frame.data)
    unfinished = path.with_name(f".{path.name}.part")
    with open(unfinished, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(b"".join(parts))
    unfinished.replace(path)
