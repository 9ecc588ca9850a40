"""The starts of flows, in the order of their first packets.

A start waits in a ring until its flow is START_AGE_US old by the packets' own times; then the flow is looked
at once. A flow that ends before is looked at then. So what is noted depends on the packets alone, and a wire
gives what the file recorded from it gives.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from capture.layout import Counter, MeterState, Number, Rule
from capture.update import RST
from flows.jit import inlined, kernel
from flows.starts import START_AGE_US

STARTS_AT_ONCE: Final = 1 << 16
"""Starts in the ring, a power of two: so many flows may begin within START_AGE_US."""

NEVER: Final = int(np.iinfo(np.int64).max)

_NOTED: Final = int(Counter.STARTS_NOTED)
_AGED: Final = int(Counter.STARTS_AGED)
_DUE: Final = int(Counter.STARTS_DUE)
_FIRST_UID: Final = int(Counter.FIRST_UID)
_STARTS: Final = int(Rule.STARTS)
_LOOKED_AT: Final = -1


@inlined
def _look(state: MeterState, at: Number) -> None:
    start = state.starts[at & (state.starts.shape[0] - 1)]
    if start.row == _LOOKED_AT:
        return
    flow = state.flows[start.row]
    start.src_hi = flow.src_hi
    start.src_lo = flow.src_lo
    start.dst_hi = flow.dst_hi
    start.dst_lo = flow.dst_lo
    start.dst_port = flow.dst_port
    start.protocol = flow.protocol
    start.fwd_packets = flow.fwd.lengths.count
    start.bwd_packets = flow.bwd.lengths.count
    start.fwd_bytes = flow.fwd.bytes
    start.bwd_bytes = flow.bwd.bytes
    start.reset = flow.fwd.rst + flow.bwd.rst > 0 or flow.first_flags & RST != 0
    start.row = _LOOKED_AT


@inlined
def note_start(state: MeterState, row: Number) -> None:
    """Put a flow that begins into the ring; there must be room."""
    if state.rules[_STARTS] == 0:
        return
    counters = state.counters
    at = counters[_NOTED]
    start = state.starts[at & (state.starts.shape[0] - 1)]
    start.uid = state.flows[row].uid
    start.start = state.flows[row].start
    start.row = row
    if at == counters[_AGED]:
        counters[_DUE] = start.start + START_AGE_US
    counters[_NOTED] = at + 1


@inlined
def end_start(state: MeterState, row: Number) -> None:
    """Look at a flow that ends, if it was not looked at."""
    if state.rules[_STARTS] == 0:
        return
    counters = state.counters
    at = np.int64(state.flows[row].uid) - counters[_FIRST_UID]
    if at >= counters[_AGED]:
        _look(state, at)


@inlined
def age_starts(state: MeterState, now: Number) -> None:
    """Look at the flows that are old enough before a packet of the time `now`."""
    counters = state.counters
    while counters[_AGED] < counters[_NOTED]:
        start = state.starts[counters[_AGED] & (state.starts.shape[0] - 1)]
        counters[_DUE] = start.start + START_AGE_US
        if now <= counters[_DUE]:
            return
        _look(state, counters[_AGED])
        counters[_AGED] += 1
    counters[_DUE] = NEVER


@kernel
def age_now(state: MeterState, now: Number) -> None:
    """As `age_starts`, when no packet came."""
    age_starts(state, now)
