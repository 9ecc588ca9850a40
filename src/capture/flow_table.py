"""Finding a packet's flow: an open-addressing index over the flow rows.

A slot holds a 32-bit hash tag above the row number + 1; the tag's low bits are the slot's home, so
removal can shift later entries back and leaves no tombstones. Both directions hash alike.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capture.layout import Number, Records
from flows.jit import inlined, kernel

_K1: Final = np.uint64(0x9E3779B97F4A7C15)
_K2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_K3: Final = np.uint64(0x165667B19E3779F9)
_S29: Final = np.uint64(29)
_S32: Final = np.uint64(32)
_ROW_MASK: Final = np.uint64(0xFFFFFFFF)
_EMPTY: Final = np.uint64(0)


@inlined
def _endpoint_hash(hi: np.uint64, lo: np.uint64, port: Number) -> np.uint64:
    mixed = (hi * _K1) ^ ((lo + np.uint64(port)) * _K2)
    mixed ^= mixed >> _S29
    return mixed * _K3


@inlined
def key_tag(packet: Any) -> np.uint64:
    """Return the 32-bit hash of a packet's five-tuple, the same for both directions."""
    mixed = _endpoint_hash(packet.src_hi, packet.src_lo, np.int64(packet.src_port) * 65537)
    mixed += _endpoint_hash(packet.dst_hi, packet.dst_lo, np.int64(packet.dst_port) * 65537)
    mixed = (mixed ^ (mixed >> _S32)) * (_K1 + np.uint64(packet.protocol * 2))
    return mixed >> _S32


@inlined
def same_key(flow: Any, packet: Any) -> bool:
    """Whether a packet has a flow's five-tuple, in either direction."""
    if flow.protocol != packet.protocol:
        return False
    if (
        flow.src_lo == packet.src_lo
        and flow.dst_lo == packet.dst_lo
        and flow.src_port == packet.src_port
        and flow.dst_port == packet.dst_port
        and flow.src_hi == packet.src_hi
        and flow.dst_hi == packet.dst_hi
    ):
        return True
    return bool(
        flow.src_lo == packet.dst_lo
        and flow.dst_lo == packet.src_lo
        and flow.src_port == packet.dst_port
        and flow.dst_port == packet.src_port
        and flow.src_hi == packet.dst_hi
        and flow.dst_hi == packet.src_hi
    )


@inlined
def find_row(flows: Records, slots: NDArray[np.uint64], tag: np.uint64, packet: Any) -> Number:
    """Return the row of a packet's flow, -1 when there is none."""
    mask = np.uint64(slots.shape[0] - 1)
    at = tag & mask
    while slots[at] != _EMPTY:
        if slots[at] >> _S32 == tag:
            row = np.int64(slots[at] & _ROW_MASK) - 1
            if same_key(flows[row], packet):
                return row
        at = (at + np.uint64(1)) & mask
    return -1


@inlined
def guess_row(slots: NDArray[np.uint64], tag: np.uint64) -> Number:
    """Return the row that most probably is a tag's, -1 when there is none."""
    mask = np.uint64(slots.shape[0] - 1)
    at = tag & mask
    while slots[at] != _EMPTY:
        if slots[at] >> _S32 == tag:
            return np.int64(slots[at] & _ROW_MASK) - 1
        at = (at + np.uint64(1)) & mask
    return -1


@inlined
def insert_row(slots: NDArray[np.uint64], tag: np.uint64, row: Number) -> None:
    """Put a row into the index; there must be room."""
    mask = np.uint64(slots.shape[0] - 1)
    at = tag & mask
    while slots[at] != _EMPTY:
        at = (at + np.uint64(1)) & mask
    slots[at] = (tag << _S32) | np.uint64(row + 1)


@inlined
def remove_row(slots: NDArray[np.uint64], tag: np.uint64, row: Number) -> None:
    """Take a row out of the index and close the gap."""
    mask = np.uint64(slots.shape[0] - 1)
    entry = (tag << _S32) | np.uint64(row + 1)
    hole = tag & mask
    while slots[hole] != entry:
        hole = (hole + np.uint64(1)) & mask
    at = hole
    while True:
        at = (at + np.uint64(1)) & mask
        if slots[at] == _EMPTY:
            break
        home = (slots[at] >> _S32) & mask
        if ((at - home) & mask) >= ((at - hole) & mask):
            slots[hole] = slots[at]
            hole = at
    slots[hole] = _EMPTY


@kernel
def rebuild_index(slots: NDArray[np.uint64], old: NDArray[np.uint64]) -> None:
    """Copy all entries of `old` into the larger, empty `slots`."""
    for entry in old:
        if entry != _EMPTY:
            insert_row(slots, entry >> _S32, np.int64(entry & _ROW_MASK) - 1)
