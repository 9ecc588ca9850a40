"""The life of a flow row: begun, emitted, continued, settled by time, forgotten."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from capture.ages import age_due, await_age, await_none, is_told
from capture.decode import PROTOCOL_TCP, PROTOCOL_UDP
from capture.expiry import (
    closing_reason,
    deadline,
    longest_silent,
    schedule,
    unschedule,
    wheel_position,
)
from capture.features import write_features
from capture.flow_table import insert_row, remove_row
from capture.layout import Counter, FlowState, MeterState, Number, Rule
from capture.retransmission import count_repeated
from capture.rules import FLOW_TIMEOUT_US
from capture.starts import end_start, note_start
from capture.update import ACK, SYN, start_flow
from flows.jit import inlined
from flows.table import EndReason

_EVICTION_SAMPLE: Final = 16
_OPENED: Final = int(Counter.OPENED)
_LIVE_FLOWS: Final = int(Counter.LIVE)
_NEXT_UID: Final = int(Counter.NEXT_UID)
_OUTPUT: Final = int(Counter.OUTPUT)
_FREE: Final = int(Counter.FREE)
_ROWS_USED: Final = int(Counter.ROWS_USED)
_WHEEL_TIME: Final = int(Counter.WHEEL_TIME)
_HAND: Final = int(Counter.EVICTION_HAND)
_EMITTED: Final = int(Counter.EMITTED_BASE)
_DROPPED: Final = int(Counter.DROPPED)
_EARLY: Final = int(Counter.EARLY)
_RULE_LIVE: Final = int(Rule.LIVE)
_DROPS_SINGLE_PACKETS: Final = int(Rule.DROPS_SINGLE_PACKETS)
_RELABELS_LATE: Final = int(Rule.RELABELS_LATE)
_DATAGRAMS_STAY: Final = int(Rule.DATAGRAMS_STAY)
_SYN_ACK_REVERSES: Final = int(Rule.SYN_ACK_REVERSES)
_COUNTS_RETRANSMISSIONS: Final = int(Rule.COUNTS_RETRANSMISSIONS)
_OPEN: Final = int(FlowState.OPEN)
_CLOSED: Final = int(FlowState.CLOSED)
_CAPPED: Final = int(FlowState.CAPPED)
_GONE: Final = int(FlowState.GONE)
_REASON_FIN: Final = int(EndReason.FIN)
_REASON_RST: Final = int(EndReason.RST)
_REASON_TIMEOUT: Final = int(EndReason.TIMEOUT)
_REASON_EVICTED: Final = int(EndReason.EVICTED)
_REASON_EARLY: Final = int(EndReason.EARLY)


@inlined
def _write_out(state: MeterState, row: Number, reason: Number) -> None:
    flow = state.flows[row]
    at = state.counters[_OUTPUT]
    out = state.out[at]
    out.src_hi = flow.src_hi
    out.src_lo = flow.src_lo
    out.dst_hi = flow.dst_hi
    out.dst_lo = flow.dst_lo
    out.uid = flow.uid
    out.start = flow.start
    out.last = flow.last
    out.src_port = flow.src_port
    out.dst_port = flow.dst_port
    out.protocol = flow.protocol
    out.end_reason = reason
    out.revision = flow.revision
    connection = state.connections[row if state.rules[_COUNTS_RETRANSMISSIONS] else 0]
    write_features(flow, connection, state.out_features[at], state.rules)
    state.counters[_OUTPUT] = at + 1


@inlined
def _is_dropped(state: MeterState, flow: Any) -> bool:
    packets = flow.fwd.lengths.count + flow.bwd.lengths.count
    return bool(state.rules[_DROPS_SINGLE_PACKETS] and packets == 1)


@inlined
def emit(state: MeterState, row: Number, reason: Number) -> None:
    """Write a flow out, or drop it where the dialect drops flows of one packet."""
    state.counters[_LIVE_FLOWS] -= 1
    await_none(state, row)
    end_start(state, row)
    if _is_dropped(state, state.flows[row]):
        state.counters[_DROPPED] += 1
        return
    _write_out(state, row, reason)
    state.counters[_EMITTED + reason] += 1


@inlined
def emit_of_age(state: MeterState, row: Number) -> None:
    """Write a copy of a flow that is as old as it waited for and goes on."""
    flow = state.flows[row]
    await_none(state, row)
    if is_told(flow, state.rules) and not _is_dropped(state, flow):
        _write_out(state, row, _REASON_EARLY)
        flow.revision += 1
        state.counters[_EARLY] += 1
    flow.early += 1
    await_age(state, row)


@inlined
def forget(state: MeterState, row: Number) -> None:
    """Free a row."""
    unschedule(state, row)
    remove_row(state.slots, np.uint64(state.flows[row].tag), row)
    state.flows[row].state = _GONE
    state.free[state.counters[_FREE]] = row
    state.counters[_FREE] += 1


@inlined
def settle(state: MeterState, row: Number, now: Number) -> bool:
    """Let time pass for one row; return whether nothing of it is left."""
    flow = state.flows[row]
    if flow.state == _OPEN:
        due, reason = deadline(flow, state)
        while flow.waits and min(now, due) > age_due(flow, state.rules):
            emit_of_age(state, row)
        if now <= due:
            return False
        emit(state, row, reason)
        if reason in (_REASON_FIN, _REASON_RST):
            flow.state = _CLOSED
        elif reason == _REASON_TIMEOUT:
            flow.state = _CAPPED
        else:
            return True
    return bool(now > deadline(flow, state)[0])


@inlined
def _sampled(state: MeterState) -> Number:
    """Return the longest silent of a few rows, the next ones after the last eviction."""
    oldest = -1
    hand = state.counters[_HAND]
    for _ in range(_EVICTION_SAMPLE):
        hand = (hand + 1) % state.counters[_ROWS_USED]
        if state.flows[hand].state != _OPEN:
            oldest = hand
            break
        if oldest < 0 or state.flows[hand].last < state.flows[oldest].last:
            oldest = hand
    state.counters[_HAND] = hand
    return oldest


@inlined
def _evict(state: MeterState) -> None:
    """Make room. A file's flows are in no wheel, but have room for millions: a sample is enough there."""
    row = longest_silent(state) if state.rules[_RULE_LIVE] else _sampled(state)
    flow = state.flows[row]
    if flow.state == _OPEN:
        emit(state, row, closing_reason(flow, _REASON_EVICTED))
    forget(state, row)


@inlined
def _new_row(state: MeterState) -> Number:
    if state.counters[_FREE] == 0 and state.counters[_ROWS_USED] == state.flows.shape[0]:
        _evict(state)
    if state.counters[_FREE] > 0:
        state.counters[_FREE] -= 1
        return np.int64(state.free[state.counters[_FREE]])
    row = state.counters[_ROWS_USED]
    state.counters[_ROWS_USED] += 1
    state.flows[row].timer_slot = -1
    return row


@inlined
def _take_labels(state: MeterState, row: Number, packet: Any) -> None:
    """Take source and destination from a packet that begins a connection."""
    flow = state.flows[row]
    flow.protocol = packet.protocol
    flow.earlier_duration = 0
    if state.rules[_SYN_ACK_REVERSES] and packet.tcp_flags & SYN and packet.tcp_flags & ACK:
        flow.src_hi, flow.src_lo, flow.src_port = packet.dst_hi, packet.dst_lo, packet.dst_port
        flow.dst_hi, flow.dst_lo, flow.dst_port = packet.src_hi, packet.src_lo, packet.src_port
    else:
        flow.src_hi, flow.src_lo, flow.src_port = packet.src_hi, packet.src_lo, packet.src_port
        flow.dst_hi, flow.dst_lo, flow.dst_port = packet.dst_hi, packet.dst_lo, packet.dst_port
    if state.rules[_COUNTS_RETRANSMISSIONS]:
        state.connections[row].id = np.uint64(state.counters[_NEXT_UID])


@inlined
def _begin(state: MeterState, row: Number, packet: Any) -> None:
    flow = state.flows[row]
    flow.uid = np.uint64(state.counters[_NEXT_UID])
    state.counters[_NEXT_UID] += 1
    flow.early = 0
    flow.revision = 0
    state.counters[_OPENED] += 1
    state.counters[_LIVE_FLOWS] += 1
    if state.rules[_COUNTS_RETRANSMISSIONS]:
        state.connections[row].fwd_repeated = 0
        state.connections[row].bwd_repeated = 0
        count_repeated(state, row, packet)
    start_flow(flow, packet, state.rules)
    note_start(state, row)
    if state.rules[_RULE_LIVE]:
        await_age(state, row)
        schedule(state, row)


@inlined
def begin_connection(state: MeterState, row: Number, packet: Any) -> None:
    """Begin a flow in a row, with source and destination of its first packet."""
    _take_labels(state, row, packet)
    _begin(state, row, packet)


@inlined
def open_flow(state: MeterState, tag: np.uint64, packet: Any) -> None:
    """Begin a flow in a row of its own."""
    if state.counters[_WHEEL_TIME] == 0:
        state.counters[_WHEEL_TIME] = wheel_position(packet.ts)
    row = _new_row(state)
    state.flows[row].tag = tag
    insert_row(state.slots, tag, row)
    begin_connection(state, row, packet)


@inlined
def _begin_late(state: MeterState, row: Number, packet: Any) -> None:
    """Begin with the packet counted as forward, then put the old source and destination back."""
    flow = state.flows[row]
    src_hi, src_lo, src_port = flow.src_hi, flow.src_lo, flow.src_port
    dst_hi, dst_lo, dst_port = flow.dst_hi, flow.dst_lo, flow.dst_port
    begin_connection(state, row, packet)
    flow.src_hi, flow.src_lo, flow.src_port = src_hi, src_lo, src_port
    flow.dst_hi, flow.dst_lo, flow.dst_port = dst_hi, dst_lo, dst_port


@inlined
def continue_connection(state: MeterState, row: Number, packet: Any) -> None:
    """Begin the next flow of a connection that the time-out cut."""
    flow = state.flows[row]
    if state.rules[_RELABELS_LATE]:
        _begin_late(state, row, packet)
        return
    stays = flow.protocol == PROTOCOL_TCP
    if state.rules[_DATAGRAMS_STAY] and flow.protocol == PROTOCOL_UDP:
        stays = packet.ts - flow.last <= FLOW_TIMEOUT_US
    if stays:
        flow.earlier_duration += packet.ts - flow.start
        _begin(state, row, packet)
    else:
        begin_connection(state, row, packet)
