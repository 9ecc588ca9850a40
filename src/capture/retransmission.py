"""TCP packets seen before in a connection, for the dialect that counts them.

Two generations of hashes: when the newer one is half full, it becomes the older one, whose hashes are
forgotten. So memory is bounded, and a repetition is found at least as long as a generation's half takes
to come.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from capture.decode import PROTOCOL_TCP
from capture.layout import Counter, MeterState, Number
from capture.update import is_forward
from flows.jit import inlined

GENERATION_SLOTS: Final = 1 << 22

_SEEN: Final = int(Counter.SEEN)
_K1: Final = np.uint64(0x9E3779B97F4A7C15)
_K2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_S31: Final = np.uint64(31)
_NONE: Final = np.uint64(0)


@inlined
def _mix(value: np.uint64, more: np.uint64) -> np.uint64:
    mixed = (value ^ more) * _K1
    return (mixed ^ (mixed >> _S31)) * _K2


@inlined
def _find(state: MeterState, generation: Number, hashed: np.uint64) -> Number:
    """Return where a hash is in a generation, or the empty slot where it would be, as -1 - slot."""
    slots = state.seen.shape[1]
    at = np.int64(hashed & np.uint64(slots - 1))
    while state.seen[generation, at] != _NONE:
        if state.seen[generation, at] == hashed:
            return at
        at = (at + 1) & (slots - 1)
    return -1 - at


@inlined
def count_repeated(state: MeterState, row: Number, packet: Any) -> None:
    """Count a TCP packet whose connection, direction, numbers, length and window were seen before."""
    if packet.protocol != PROTOCOL_TCP:
        return
    connection = state.connections[row]
    forward = is_forward(state.flows[row], packet)
    numbers = np.uint64((packet.sequence << 32) | packet.acknowledged)
    shape = np.uint64((np.int64(packet.payload) << 17) | (packet.window << 1) | (1 if forward else 0))
    # Ids follow each other: unless mixed first, one connection's forward is the next one's backward.
    hashed = _mix(_mix(_mix(connection.id, _NONE), shape), numbers) | np.uint64(1)
    newer = state.counters[_SEEN] & 1
    place = _find(state, newer, hashed)
    if place >= 0 or _find(state, 1 - newer, hashed) >= 0:
        if forward:
            connection.fwd_repeated += 1
        else:
            connection.bwd_repeated += 1
    if place < 0:
        state.seen[newer, -1 - place] = hashed
        state.counters[_SEEN] += 2
        if state.counters[_SEEN] >= state.seen.shape[1]:
            state.counters[_SEEN] = 1 - newer
            state.seen[1 - newer, :] = _NONE
