"""The metering kernel: packets in, finished flows out, by the rules of one dialect.

A flow ends when its dialect says that it closed, or when a packet comes more than 120 s after its start;
under live rules also when time passes. Live rules are decided by packet times alone, so that a wire and the
file recorded from it give the same flows, however late the clock is looked at.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capture.ages import first_of_age
from capture.decode import PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP, decode
from capture.dialects import Close
from capture.expiry import closing_reason, schedule, wheel_position, wheel_time
from capture.flow_table import find_row, guess_row, key_tag
from capture.layout import (
    FLOW,
    PACKETS_AT_ONCE,
    Counter,
    FlowState,
    MeterState,
    Number,
    PacketIndex,
    Rule,
    TcpState,
)
from capture.lifecycle import (
    begin_connection,
    continue_connection,
    emit,
    emit_of_age,
    forget,
    open_flow,
    settle,
)
from capture.prefetch import prefetch
from capture.retransmission import count_repeated
from capture.rules import FLOW_TIMEOUT_US, LIVE_AGES
from capture.starts import age_starts
from capture.update import ACK, FIN, RST, SYN, add_packet, is_forward
from flows.jit import inlined, kernel
from flows.table import EndReason

EMITTED_PER_PACKET: Final = LIVE_AGES + 2
"""The most rows one packet can cause: its own flow's, provisional and final, and an evicted one's."""

_FLOW_BYTES: Final = FLOW.itemsize
_CACHE_LINE: Final = 64

_PACKETS: Final = int(Counter.PACKETS)
_METERED: Final = int(Counter.METERED)
_LATE: Final = int(Counter.LATE)
_OUTPUT: Final = int(Counter.OUTPUT)
_FREE: Final = int(Counter.FREE)
_ROWS_USED: Final = int(Counter.ROWS_USED)
_WHEEL_TIME: Final = int(Counter.WHEEL_TIME)
_NEWEST: Final = int(Counter.NEWEST)
_IGNORED: Final = int(Counter.IGNORED_BASE)
_STARTS_DUE: Final = int(Counter.STARTS_DUE)
_STARTS_NOTED: Final = int(Counter.STARTS_NOTED)
_STARTS_TAKEN: Final = int(Counter.STARTS_TAKEN)
_STALE_TCP_HEADER: Final = int(Counter.STALE_TCP_HEADER)
_RULE_LIVE: Final = int(Rule.LIVE)
_LINGER: Final = int(Rule.LINGER)
_IDLE: Final = int(Rule.IDLE)
_RULE_EARLY: Final = int(Rule.EARLY)
_RULE_STARTS: Final = int(Rule.STARTS)
_CLOSE: Final = int(Rule.CLOSE)
_STALE_UDP_HEADER: Final = int(Rule.STALE_UDP_HEADER)
_COUNTS_RETRANSMISSIONS: Final = int(Rule.COUNTS_RETRANSMISSIONS)
_AT_NEXT_SYN: Final = int(Close.NEXT_SYN)
_AT_FIRST_FIN: Final = int(Close.FIRST_FIN)
_AT_BACKWARD_FIN: Final = int(Close.BACKWARD_FIN)
_MAX_FLOWS: Final = int(Rule.MAX_FLOWS)
_OPEN: Final = int(FlowState.OPEN)
_CLOSED: Final = int(FlowState.CLOSED)
_CAPPED: Final = int(FlowState.CAPPED)
_FIRST_FIN: Final = int(TcpState.FIRST_FIN)
_SECOND_FIN: Final = int(TcpState.SECOND_FIN)
_READY: Final = int(TcpState.READY)
_REASON_FIN: Final = int(EndReason.FIN)
_REASON_RST: Final = int(EndReason.RST)
_REASON_TIMEOUT: Final = int(EndReason.TIMEOUT)
_REASON_FLUSH: Final = int(EndReason.FLUSH)


@inlined
def _follow_tcp(flow: Any, flags: Number) -> None:
    if flags & FIN:
        if flow.tcp_state == 0:
            flow.tcp_state = _FIRST_FIN
        elif flow.tcp_state == _FIRST_FIN and flow.fwd.fin > 0 and flow.bwd.fin > 0:
            flow.tcp_state = _SECOND_FIN
    elif flags & RST or (flags & ACK and flow.tcp_state == _SECOND_FIN):
        flow.tcp_state = _READY


@inlined
def _add_or_close(state: MeterState, row: Number, packet: Any) -> bool:
    """Add a packet to a flow and end it if the dialect ends it there; return whether it counted."""
    flow = state.flows[row]
    flags = packet.tcp_flags
    closes = False
    if state.rules[_CLOSE] == _AT_FIRST_FIN:
        closes = flags & FIN != 0
    elif state.rules[_CLOSE] == _AT_BACKWARD_FIN:
        if flags & FIN and is_forward(flow, packet):
            if flow.tcp_state == _FIRST_FIN:
                return False
            flow.tcp_state = _FIRST_FIN
        else:
            closes = flags & (FIN | RST) != 0
    add_packet(flow, packet, state.rules, closes and state.rules[_CLOSE] == _AT_FIRST_FIN)
    if state.rules[_COUNTS_RETRANSMISSIONS]:
        count_repeated(state, row, packet)
    if closes:
        emit(state, row, _REASON_FIN if flags & FIN else _REASON_RST)
        forget(state, row)
    elif flags & (FIN | RST | ACK):
        if state.rules[_CLOSE] == _AT_NEXT_SYN:
            _follow_tcp(flow, flags)
        if flags & (FIN | RST) and state.rules[_RULE_LIVE]:
            schedule(state, row)
    return True


@inlined
def _other_icmp(flow: Any, packet: Any) -> bool:
    return bool(
        flow.protocol == PROTOCOL_ICMP
        and packet.icmp_type != flow.icmp_type
        and packet.icmp_code != flow.icmp_code
    )


@inlined
def _meter_known(state: MeterState, row: Number, packet: Any) -> bool:
    """Give a packet to the flow of its row; return whether it counted there."""
    flow = state.flows[row]
    if state.rules[_RULE_LIVE]:
        if settle(state, row, packet.ts):
            begin_connection(state, row, packet)
            return True
        if flow.state == _CLOSED:
            if packet.tcp_flags & SYN == 0:
                return False
            begin_connection(state, row, packet)
            return True
        if flow.state == _CAPPED:
            continue_connection(state, row, packet)
            return True
    if (flow.tcp_state == _READY and packet.tcp_flags & SYN) or _other_icmp(flow, packet):
        emit(state, row, closing_reason(flow, _REASON_TIMEOUT))
        begin_connection(state, row, packet)
    elif packet.ts - flow.start > FLOW_TIMEOUT_US:
        emit(state, row, closing_reason(flow, _REASON_TIMEOUT))
        continue_connection(state, row, packet)
    else:
        return _add_or_close(state, row, packet)
    return True


@inlined
def _is_ordinary(flow: Any, packet: Any, rules: NDArray[np.int64]) -> bool:
    """Whether a packet just joins its flow: nothing opens, closes, ends or is counted besides."""
    if packet.tcp_flags & (SYN | FIN | RST) or flow.state != _OPEN or flow.protocol == PROTOCOL_ICMP:
        return False
    if packet.ts - flow.start > FLOW_TIMEOUT_US or rules[_COUNTS_RETRANSMISSIONS]:
        return False
    if rules[_RULE_LIVE] == 0:
        return True
    gap = packet.ts - flow.last
    is_early = packet.ts - flow.start > rules[_RULE_EARLY + flow.early]
    return bool(gap <= rules[_LINGER] and gap <= rules[_IDLE] and not is_early)


@inlined
def _borrow_header(packet: Any, counters: NDArray[np.int64]) -> None:
    """Give a datagram the header length of the last TCP packet, wherever that came from."""
    if packet.protocol == PROTOCOL_TCP:
        counters[_STALE_TCP_HEADER] = packet.header
    elif packet.protocol == PROTOCOL_UDP:
        packet.header = counters[_STALE_TCP_HEADER]


@inlined
def _lacks_room(counters: NDArray[np.int64], rules: NDArray[np.int64], rows: Number, starts: Number) -> bool:
    """Whether the next flow needs a row, or a place among the starts, that only the caller can give."""
    if rows < rules[_MAX_FLOWS] and counters[_FREE] == 0 and counters[_ROWS_USED] == rows:
        return True
    return bool(rules[_RULE_STARTS] and counters[_STARTS_NOTED] - counters[_STARTS_TAKEN] >= starts)


@inlined
def _add_ordinary(flow: Any, packet: Any, rules: NDArray[np.int64]) -> None:
    add_packet(flow, packet, rules, False)
    if flow.tcp_state == _SECOND_FIN and packet.tcp_flags & ACK:
        flow.tcp_state = _READY


@inlined
def _approach(
    block: NDArray[np.uint8], index: PacketIndex, first: Number, count: Number, state: MeterState
) -> None:
    """Decode a few packets and ask for the memory of their flows, all at once."""
    packets, rules, slots = state.packet, state.rules, state.slots
    mask = np.uint64(slots.shape[0] - 1)
    for k in range(count):
        number = first + k
        packet = packets[k]
        packet.ignored = decode(
            block, index.offset[number], index.captured[number], index.link[number], packet, rules
        )
        packet.tag = key_tag(packet)
        prefetch(slots, np.int64(packet.tag & mask), 0)
    for k in range(count):
        row = guess_row(slots, packets[k].tag)
        if row >= 0:
            for line in range(0, _FLOW_BYTES, _CACHE_LINE):
                prefetch(state.flows, row, line)


@kernel
def meter_packets(
    block: NDArray[np.uint8], index: PacketIndex, first: Number, count: Number, state: MeterState
) -> Number:
    """Meter the packets `first` to `count` of a block.

    Returns the first packet not metered: `count`, or earlier when the output, the flow rows or the
    starts are full and the caller must make room.
    """
    counters, rules, flows = state.counters, state.rules, state.flows
    starts = state.starts.shape[0]
    out_limit = state.out.shape[0] - EMITTED_PER_PACKET
    for group in range(first, count, PACKETS_AT_ONCE):
        size = min(PACKETS_AT_ONCE, count - group)
        _approach(block, index, group, size, state)
        for k in range(size):
            number = group + k
            packet = state.packet[k]
            if counters[_OUTPUT] > out_limit or _lacks_room(counters, rules, flows.shape[0], starts):
                return number
            counters[_PACKETS] += 1
            if packet.ignored:
                counters[_IGNORED + packet.ignored] += 1
                continue
            packet.ts = index.ts[number]
            counters[_NEWEST] = max(counters[_NEWEST], packet.ts)
            if packet.ts > counters[_STARTS_DUE]:
                age_starts(state, packet.ts)
            if rules[_STALE_UDP_HEADER]:
                _borrow_header(packet, counters)
            tag = packet.tag
            row = find_row(flows, state.slots, tag, packet)
            # The hot path hands no `state` on: copying that costs more than adding the packet.
            if row >= 0 and _is_ordinary(flows[row], packet, rules):
                _add_ordinary(flows[row], packet, rules)
                counters[_METERED] += 1
            elif row >= 0:
                counters[_METERED if _meter_known(state, row, packet) else _LATE] += 1
            else:
                open_flow(state, tag, packet)
                counters[_METERED] += 1
    return count


@kernel
def expire_flows(now: Number, state: MeterState) -> bool:
    """End the flows whose time has passed by `now`, emit those that are old enough provisionally.

    Returns whether the output had no room for all.
    """
    counters = state.counters
    target = wheel_position(now)
    # To the slot only, so that it does not matter which rows another slot's clamping brings here.
    settled = wheel_time(target)
    if target - counters[_WHEEL_TIME] > state.wheel.shape[0]:
        counters[_WHEEL_TIME] = target - state.wheel.shape[0]
    while counters[_WHEEL_TIME] < target:
        slot = counters[_WHEEL_TIME] & (state.wheel.shape[0] - 1)
        # Rows that are not due yet go to a later slot: never back into this one.
        counters[_WHEEL_TIME] += 1
        while state.wheel[slot] >= 0:
            if counters[_OUTPUT] > state.out.shape[0] - EMITTED_PER_PACKET:
                counters[_WHEEL_TIME] -= 1
                return True
            row = np.int64(state.wheel[slot])
            if settle(state, row, settled):
                forget(state, row)
            else:
                schedule(state, row)
    row = first_of_age(state, settled)
    while row >= 0:
        if counters[_OUTPUT] > state.out.shape[0] - EMITTED_PER_PACKET:
            return True
        emit_of_age(state, row)
        row = first_of_age(state, settled)
    return False


@kernel
def flush_flows(first_row: Number, state: MeterState) -> Number:
    """Emit all open flows from `first_row` on; return the row to go on from, -1 when done."""
    for row in range(first_row, state.counters[_ROWS_USED]):
        flow = state.flows[row]
        if flow.state == _OPEN:
            if state.counters[_OUTPUT] == state.out.shape[0]:
                return row
            emit(state, row, closing_reason(flow, _REASON_FLUSH))
            flow.state = _CLOSED
    return -1
