"""Flows that end because time passes: deadlines, and a timer wheel that finds them.

A row waits in the slot of the deadline it had when it was put there. A packet that moves the deadline
leaves it where it is: when the slot comes up, the row is put into the slot of its new deadline. So a
packet costs the wheel nothing and no scan ever meets a flow that is not nearly due.
"""

from __future__ import annotations

from typing import Any, Final

from capture.decode import PROTOCOL_TCP
from capture.layout import Counter, FlowState, MeterState, Number, Rule
from capture.rules import FLOW_TIMEOUT_US
from capture.update import RST
from flows.jit import inlined
from flows.table import EndReason

WHEEL_SLOTS: Final = 1024
_SLOT_SHIFT: Final = 17
"""A slot is 2^17 us: the wheel spans 134 s, more than the longest deadline."""

_OPEN: Final = int(FlowState.OPEN)
_CLOSED: Final = int(FlowState.CLOSED)
_CAPPED: Final = int(FlowState.CAPPED)
_WHEEL_TIME: Final = int(Counter.WHEEL_TIME)
_HAND: Final = int(Counter.EVICTION_HAND)
_LINGER: Final = int(Rule.LINGER)
_IDLE: Final = int(Rule.IDLE)
_REASON_FIN: Final = int(EndReason.FIN)
_REASON_RST: Final = int(EndReason.RST)
_REASON_TIMEOUT: Final = int(EndReason.TIMEOUT)
_REASON_IDLE: Final = int(EndReason.IDLE)


@inlined
def wheel_position(ts: Number) -> Number:
    """Return the number of the wheel's slot for a time."""
    return ts >> _SLOT_SHIFT


@inlined
def wheel_time(position: Number) -> Number:
    """Return the time at which a slot begins."""
    return position << _SLOT_SHIFT


@inlined
def talks_to_itself(flow: Any) -> bool:
    """Whether both ends are one address: the dialect sees one direction only."""
    return bool(flow.src_lo == flow.dst_lo and flow.src_hi == flow.dst_hi)


@inlined
def closing_reason(flow: Any, otherwise: Number) -> Number:
    """Return RST or FIN when the connection was closed so, else `otherwise`."""
    if flow.protocol == PROTOCOL_TCP:
        if flow.fwd.rst + flow.bwd.rst > 0 or flow.first_flags & RST:
            return _REASON_RST
        if flow.fwd.fin > 0 and flow.bwd.fin > 0:
            return _REASON_FIN
        if flow.fwd.fin > 1 and talks_to_itself(flow):
            return _REASON_FIN
    return otherwise


@inlined
def deadline(flow: Any, state: MeterState) -> tuple[Number, Number]:
    """Return the time after which a row changes its state, and the end reason that gives."""
    cap = flow.start + FLOW_TIMEOUT_US
    idle = flow.last + state.rules[_IDLE]
    if flow.state == _CLOSED:
        return cap, _REASON_TIMEOUT
    if flow.state == _CAPPED:
        return idle, _REASON_IDLE
    reason = closing_reason(flow, _REASON_IDLE)
    if reason != _REASON_IDLE:
        idle = min(idle, flow.last + state.rules[_LINGER])
    if cap < idle:
        return cap, _REASON_TIMEOUT
    return idle, reason


@inlined
def unschedule(state: MeterState, row: Number) -> None:
    """Take a row out of the wheel."""
    flow = state.flows[row]
    if flow.timer_slot < 0:
        return
    if flow.timer_prev >= 0:
        state.flows[flow.timer_prev].timer_next = flow.timer_next
    else:
        state.wheel[flow.timer_slot] = flow.timer_next
    if flow.timer_next >= 0:
        state.flows[flow.timer_next].timer_prev = flow.timer_prev
    flow.timer_slot = -1


@inlined
def schedule(state: MeterState, row: Number) -> None:
    """Put a row into the slot of its deadline."""
    unschedule(state, row)
    flow = state.flows[row]
    due, reason = deadline(flow, state)
    now = state.counters[_WHEEL_TIME]
    position = min(max(wheel_position(due), now), now + WHEEL_SLOTS - 2)
    if reason == _REASON_IDLE:
        state.counters[_HAND] = min(state.counters[_HAND], position)
    slot = position & (WHEEL_SLOTS - 1)
    first = state.wheel[slot]
    flow.timer_slot = slot
    flow.timer_prev = -1
    flow.timer_next = first
    if first >= 0:
        state.flows[first].timer_prev = row
    state.wheel[slot] = row


@inlined
def longest_silent(state: MeterState) -> Number:
    """Return the row to give up when there is no room: the flow silent for longest, to a slot's width.

    The search goes on from the slot where the last one ended; what is left before it ends by its age or
    as a closed connection, not for silence. Rows whose deadline has moved are put where they belong:
    the packets that moved it pay for that. A row whose flow was emitted, or is closed, is given up at
    once.
    """
    counters = state.counters
    now, span = counters[_WHEEL_TIME], WHEEL_SLOTS - 1
    ahead = max(counters[_HAND] - now, 0)
    chosen = -1
    # Where the search began late, a row may have moved from a slot it came to last into one it came to first.
    for step in range(2 * span):
        if step == span and chosen >= 0:
            break
        position = now + (ahead + step) % span
        row = state.wheel[position & (WHEEL_SLOTS - 1)]
        while row >= 0:
            flow = state.flows[row]
            following = flow.timer_next
            due, reason = deadline(flow, state)
            if wheel_position(due) > position and position < now + span - 1:
                schedule(state, row)
            elif flow.state != _OPEN or reason in (_REASON_FIN, _REASON_RST):
                return row
            elif chosen < 0 or flow.last < state.flows[chosen].last:
                chosen = row
            # A flow that is to be cut by its age may have been heard of since.
            if chosen >= 0 and wheel_position(state.flows[chosen].last + state.rules[_IDLE]) <= position:
                counters[_HAND] = position
                return chosen
            row = following
    return chosen
