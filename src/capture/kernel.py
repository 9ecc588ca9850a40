"""The metering kernel: packets in, finished flows out, by the rules of one dialect.

A flow ends when its dialect says that it closed, or when a packet comes more than 120 s after its start;
under live rules also when time passes. Live rules are decided by packet times alone, so that a wire and the
file recorded from it give the same flows, however late the clock is looked at.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capture.decode import PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP, decode
from capture.dialects import Close
from capture.expiry import closing_reason, deadline, schedule, unschedule, wheel_position
from capture.features import write_features
from capture.flow_table import find_row, insert_row, key_tag, remove_row
from capture.layout import Counter, FlowState, MeterState, Number, PacketIndex, Rule, TcpState
from capture.retransmission import count_repeated
from capture.rules import FLOW_TIMEOUT_US
from capture.update import ACK, FIN, RST, SYN, add_packet, is_forward, start_flow
from flows.jit import inlined, kernel
from flows.table import EndReason

EMITTED_PER_PACKET: Final = 2
"""The most flows one packet can end: its own and an evicted one."""

_EVICTION_SAMPLE: Final = 16

_PACKETS: Final = int(Counter.PACKETS)
_METERED: Final = int(Counter.METERED)
_LATE: Final = int(Counter.LATE)
_OPENED: Final = int(Counter.OPENED)
_LIVE_FLOWS: Final = int(Counter.LIVE)
_NEXT_UID: Final = int(Counter.NEXT_UID)
_OUTPUT: Final = int(Counter.OUTPUT)
_FREE: Final = int(Counter.FREE)
_ROWS_USED: Final = int(Counter.ROWS_USED)
_WHEEL_TIME: Final = int(Counter.WHEEL_TIME)
_HAND: Final = int(Counter.EVICTION_HAND)
_NEWEST: Final = int(Counter.NEWEST)
_IGNORED: Final = int(Counter.IGNORED_BASE)
_EMITTED: Final = int(Counter.EMITTED_BASE)
_DROPPED: Final = int(Counter.DROPPED)
_STALE_TCP_HEADER: Final = int(Counter.STALE_TCP_HEADER)
_RULE_LIVE: Final = int(Rule.LIVE)
_LINGER: Final = int(Rule.LINGER)
_IDLE: Final = int(Rule.IDLE)
_CLOSE: Final = int(Rule.CLOSE)
_DROPS_SINGLE_PACKETS: Final = int(Rule.DROPS_SINGLE_PACKETS)
_RELABELS_LATE: Final = int(Rule.RELABELS_LATE)
_DATAGRAMS_STAY: Final = int(Rule.DATAGRAMS_STAY)
_STALE_UDP_HEADER: Final = int(Rule.STALE_UDP_HEADER)
_SYN_ACK_REVERSES: Final = int(Rule.SYN_ACK_REVERSES)
_COUNTS_RETRANSMISSIONS: Final = int(Rule.COUNTS_RETRANSMISSIONS)
_AT_NEXT_SYN: Final = int(Close.NEXT_SYN)
_AT_FIRST_FIN: Final = int(Close.FIRST_FIN)
_AT_BACKWARD_FIN: Final = int(Close.BACKWARD_FIN)
_MAX_FLOWS: Final = int(Rule.MAX_FLOWS)
_OPEN: Final = int(FlowState.OPEN)
_CLOSED: Final = int(FlowState.CLOSED)
_CAPPED: Final = int(FlowState.CAPPED)
_GONE: Final = int(FlowState.GONE)
_FIRST_FIN: Final = int(TcpState.FIRST_FIN)
_SECOND_FIN: Final = int(TcpState.SECOND_FIN)
_READY: Final = int(TcpState.READY)
_REASON_FIN: Final = int(EndReason.FIN)
_REASON_RST: Final = int(EndReason.RST)
_REASON_TIMEOUT: Final = int(EndReason.TIMEOUT)
_REASON_EVICTED: Final = int(EndReason.EVICTED)
_REASON_FLUSH: Final = int(EndReason.FLUSH)


@inlined
def _emit(state: MeterState, row: Number, reason: Number) -> None:
    """Write a flow out, or drop it where the dialect drops flows of one packet."""
    flow = state.flows[row]
    state.counters[_LIVE_FLOWS] -= 1
    if state.rules[_DROPS_SINGLE_PACKETS] and flow.fwd.lengths.count + flow.bwd.lengths.count == 1:
        state.counters[_DROPPED] += 1
        return
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
    connection = state.connections[row if state.rules[_COUNTS_RETRANSMISSIONS] else 0]
    write_features(flow, connection, state.out_features[at], state.rules)
    state.counters[_OUTPUT] = at + 1
    state.counters[_EMITTED + reason] += 1


@inlined
def _forget(state: MeterState, row: Number) -> None:
    unschedule(state, row)
    remove_row(state.slots, np.uint64(state.flows[row].tag), row)
    state.flows[row].state = _GONE
    state.free[state.counters[_FREE]] = row
    state.counters[_FREE] += 1


@inlined
def _settle(state: MeterState, row: Number, now: Number) -> bool:
    """Let time pass for one row; return whether nothing of it is left."""
    flow = state.flows[row]
    if flow.state == _OPEN:
        due, reason = deadline(flow, state)
        if now <= due:
            return False
        _emit(state, row, reason)
        if reason in (_REASON_FIN, _REASON_RST):
            flow.state = _CLOSED
        elif reason == _REASON_TIMEOUT:
            flow.state = _CAPPED
        else:
            return True
    return bool(now > deadline(flow, state)[0])


@inlined
def _evict(state: MeterState) -> None:
    """Make room: end the longest silent flow of a few, the next ones after the last eviction."""
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
    if state.flows[oldest].state == _OPEN:
        _emit(state, oldest, _REASON_EVICTED)
    _forget(state, oldest)


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
    state.counters[_OPENED] += 1
    state.counters[_LIVE_FLOWS] += 1
    if state.rules[_COUNTS_RETRANSMISSIONS]:
        state.connections[row].fwd_repeated = 0
        state.connections[row].bwd_repeated = 0
        count_repeated(state, row, packet)
    start_flow(flow, packet, state.rules)
    if state.rules[_RULE_LIVE]:
        schedule(state, row)


@inlined
def _begin_connection(state: MeterState, row: Number, packet: Any) -> None:
    _take_labels(state, row, packet)
    _begin(state, row, packet)


@inlined
def _open(state: MeterState, tag: np.uint64, packet: Any) -> None:
    if state.counters[_WHEEL_TIME] == 0:
        state.counters[_WHEEL_TIME] = wheel_position(packet.ts)
    row = _new_row(state)
    state.flows[row].tag = tag
    insert_row(state.slots, tag, row)
    _begin_connection(state, row, packet)


@inlined
def _begin_late(state: MeterState, row: Number, packet: Any) -> None:
    """Begin with the packet counted as forward, then put the old source and destination back."""
    flow = state.flows[row]
    src_hi, src_lo, src_port = flow.src_hi, flow.src_lo, flow.src_port
    dst_hi, dst_lo, dst_port = flow.dst_hi, flow.dst_lo, flow.dst_port
    _begin_connection(state, row, packet)
    flow.src_hi, flow.src_lo, flow.src_port = src_hi, src_lo, src_port
    flow.dst_hi, flow.dst_lo, flow.dst_port = dst_hi, dst_lo, dst_port


@inlined
def _continue(state: MeterState, row: Number, packet: Any) -> None:
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
        _begin_connection(state, row, packet)


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
        _emit(state, row, _REASON_FIN if flags & FIN else _REASON_RST)
        _forget(state, row)
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
        if _settle(state, row, packet.ts):
            _begin_connection(state, row, packet)
            return True
        if flow.state == _CLOSED:
            if packet.tcp_flags & SYN == 0:
                return False
            _begin_connection(state, row, packet)
            return True
        if flow.state == _CAPPED:
            _continue(state, row, packet)
            return True
    if (flow.tcp_state == _READY and packet.tcp_flags & SYN) or _other_icmp(flow, packet):
        _emit(state, row, closing_reason(flow, _REASON_TIMEOUT))
        _begin_connection(state, row, packet)
    elif packet.ts - flow.start > FLOW_TIMEOUT_US:
        _emit(state, row, closing_reason(flow, _REASON_TIMEOUT))
        _continue(state, row, packet)
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
    gap = packet.ts - flow.last
    return bool(rules[_RULE_LIVE] == 0 or (gap <= rules[_LINGER] and gap <= rules[_IDLE]))


@inlined
def _borrow_header(packet: Any, counters: NDArray[np.int64]) -> None:
    """Give a datagram the header length of the last TCP packet, wherever that came from."""
    if packet.protocol == PROTOCOL_TCP:
        counters[_STALE_TCP_HEADER] = packet.header
    elif packet.protocol == PROTOCOL_UDP:
        packet.header = counters[_STALE_TCP_HEADER]


@inlined
def _lacks_row(state: MeterState) -> bool:
    """Whether the next flow needs a row that only the caller can add."""
    counters = state.counters
    full = counters[_FREE] == 0 and counters[_ROWS_USED] == state.flows.shape[0]
    return bool(full and state.flows.shape[0] < state.rules[_MAX_FLOWS])


@kernel
def meter_packets(
    block: NDArray[np.uint8], index: PacketIndex, first: Number, count: Number, state: MeterState
) -> Number:
    """Meter the packets `first` to `count` of a block.

    Returns the first packet not metered: `count`, or earlier when the output or the flow rows are
    full and the caller must make room.
    """
    counters, rules, flows = state.counters, state.rules, state.flows
    packet = state.packet[0]
    out_limit = state.out.shape[0] - EMITTED_PER_PACKET
    for number in range(first, count):
        if counters[_OUTPUT] > out_limit or _lacks_row(state):
            return number
        counters[_PACKETS] += 1
        ignored = decode(
            block, index.offset[number], index.captured[number], index.link[number], packet, rules
        )
        if ignored:
            counters[_IGNORED + ignored] += 1
            continue
        packet.ts = index.ts[number]
        counters[_NEWEST] = max(counters[_NEWEST], packet.ts)
        if rules[_STALE_UDP_HEADER]:
            _borrow_header(packet, counters)
        tag = key_tag(packet)
        row = find_row(flows, state.slots, tag, packet)
        # The hot path hands no `state` on: copying that costs more than adding the packet.
        if row >= 0 and _is_ordinary(flows[row], packet, rules):
            add_packet(flows[row], packet, rules, False)
            if flows[row].tcp_state == _SECOND_FIN and packet.tcp_flags & ACK:
                flows[row].tcp_state = _READY
            counters[_METERED] += 1
        elif row >= 0:
            counters[_METERED if _meter_known(state, row, packet) else _LATE] += 1
        else:
            _open(state, tag, packet)
            counters[_METERED] += 1
    return count


@kernel
def expire_flows(now: Number, state: MeterState) -> bool:
    """End the flows whose time has passed by `now`; return whether the output had no room for all."""
    counters = state.counters
    target = wheel_position(now)
    if target - counters[_WHEEL_TIME] > state.wheel.shape[0]:
        counters[_WHEEL_TIME] = target - state.wheel.shape[0]
    while counters[_WHEEL_TIME] < target:
        slot = counters[_WHEEL_TIME] & (state.wheel.shape[0] - 1)
        # Rows that are not due yet go to a later slot: never back into this one.
        counters[_WHEEL_TIME] += 1
        while state.wheel[slot] >= 0:
            if counters[_OUTPUT] == state.out.shape[0]:
                counters[_WHEEL_TIME] -= 1
                return True
            row = np.int64(state.wheel[slot])
            if _settle(state, row, now):
                _forget(state, row)
            else:
                schedule(state, row)
    return False


@kernel
def flush_flows(first_row: Number, state: MeterState) -> Number:
    """Emit all open flows from `first_row` on; return the row to go on from, -1 when done."""
    for row in range(first_row, state.counters[_ROWS_USED]):
        flow = state.flows[row]
        if flow.state == _OPEN:
            if state.counters[_OUTPUT] == state.out.shape[0]:
                return row
            _emit(state, row, closing_reason(flow, _REASON_FLUSH))
            flow.state = _CLOSED
    return -1
