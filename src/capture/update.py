"""One packet changes one flow: counts, running statistics, bulks, active and idle time.

Means and variances follow the recurrence of commons-math's SummaryStatistics in arrival order:
d = x - m; m += d / n; s += (n - 1) * d * (d / n).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capture.dialects import Bulk
from capture.layout import Number, Rule
from capture.rules import ACTIVITY_TIMEOUT_US, BULK_GAP_US
from flows.jit import inlined

FIN: Final = 1
SYN: Final = 2
RST: Final = 4
PSH: Final = 8
ACK: Final = 16
URG: Final = 32
ECE: Final = 64
CWR: Final = 128

_BULK_PACKETS: Final = 4
_SUBFLOW_GAP_US: Final = 1_000_000
_RULE_BULK: Final = int(Rule.BULK)
_FIRST_LENGTH_TWICE: Final = int(Rule.FIRST_LENGTH_TWICE)
_FIRST_DATA_PACKET: Final = int(Rule.FIRST_DATA_PACKET)
_FIRST_BACKWARD_WINDOW: Final = int(Rule.FIRST_BACKWARD_WINDOW)
_NEVER: Final = int(Bulk.NEVER)
_BOTH_AS_BACKWARD: Final = int(Bulk.BOTH_AS_BACKWARD)

Rules = NDArray[np.int64]


@inlined
def _add_value(statistics: Any, value: Number) -> None:
    count = statistics.count + 1
    deviation = value - statistics.m1
    step = deviation / count
    if count == 1:
        statistics.lowest = value
        statistics.highest = value
    elif value < statistics.lowest:
        statistics.lowest = value
    elif value > statistics.highest:
        statistics.highest = value
    statistics.m1 += step
    statistics.m2 += (count - 1) * deviation * step
    statistics.count = count


@inlined
def _clear(statistics: Any) -> None:
    statistics.count = 0
    statistics.m1 = 0.0
    statistics.m2 = 0.0


@inlined
def _clear_direction(side: Any) -> None:
    _clear(side.lengths)
    _clear(side.gaps)
    side.bytes = 0
    side.gap_total = 0
    side.bulk_start = 0
    side.bulk_last = 0
    side.bulk_bytes_open = 0
    side.bulk_bytes = 0
    side.bulk_duration = 0
    side.bulk_packets_open = 0
    side.bulk_packets = 0
    side.bulk_count = 0
    side.header = 0
    side.psh = 0
    side.urg = 0
    side.rst = 0
    side.fin = 0
    side.window = 0
    side.data_packets = 0


@inlined
def _extend_bulk(side: Any, other_last: Number, packet: Any) -> None:
    if other_last > side.bulk_start:
        side.bulk_start = 0
    if packet.payload <= 0:
        return
    if side.bulk_start == 0 or packet.ts - side.bulk_last > BULK_GAP_US:
        side.bulk_start = packet.ts
        side.bulk_packets_open = 1
        side.bulk_bytes_open = packet.payload
    else:
        side.bulk_packets_open += 1
        side.bulk_bytes_open += packet.payload
        if side.bulk_packets_open == _BULK_PACKETS:
            side.bulk_count += 1
            side.bulk_packets += _BULK_PACKETS
            side.bulk_bytes += side.bulk_bytes_open
            side.bulk_duration += packet.ts - side.bulk_start
        elif side.bulk_packets_open > _BULK_PACKETS:
            side.bulk_packets += 1
            side.bulk_bytes += packet.payload
            side.bulk_duration += packet.ts - side.bulk_last
    side.bulk_last = packet.ts


@inlined
def _update_bulk(flow: Any, forward: bool, packet: Any, rules: Rules) -> None:
    if rules[_RULE_BULK] == _BOTH_AS_BACKWARD:
        _extend_bulk(flow.bwd, 0, packet)
    elif rules[_RULE_BULK] != _NEVER:
        if forward:
            _extend_bulk(flow.fwd, flow.bwd.bulk_last, packet)
        else:
            _extend_bulk(flow.bwd, flow.fwd.bulk_last, packet)


@inlined
def _count_flags(flow: Any, side: Any, flags: Number) -> None:
    if flags & ACK:
        flow.ack += 1
    if flags & PSH:
        side.psh += 1
    if flags & (FIN | SYN | RST | URG | ECE | CWR):
        side.fin += flags & FIN
        flow.syn += (flags & SYN) >> 1
        side.rst += (flags & RST) >> 2
        side.urg += (flags & URG) >> 5
        flow.ece += (flags & ECE) >> 6
        flow.cwr += (flags & CWR) >> 7


@inlined
def _count_packet(flow: Any, side: Any, packet: Any) -> None:
    _add_value(flow.lengths, packet.payload)
    _add_value(side.lengths, packet.payload)
    side.bytes += packet.payload
    side.header += packet.header
    side.last = packet.ts
    _count_flags(flow, side, packet.tcp_flags)
    flow.last = packet.ts


@inlined
def is_forward(flow: Any, packet: Any) -> bool:
    """Whether a packet comes from the flow's source; only the address counts, as in the Java tool."""
    return bool(packet.src_lo == flow.src_lo and packet.src_hi == flow.src_hi)


@inlined
def start_flow(flow: Any, packet: Any, rules: Rules) -> None:
    """Begin a flow with its first packet; its five-tuple is already set."""
    _clear(flow.lengths)
    _clear(flow.gaps)
    _clear(flow.active)
    _clear(flow.idle)
    _clear_direction(flow.fwd)
    _clear_direction(flow.bwd)
    flow.syn = 0
    flow.ack = 0
    flow.cwr = 0
    flow.ece = 0
    flow.subflow_gaps = 0
    flow.fwd_header_min = 0
    flow.bwd_header_min = 0
    flow.icmp_type = packet.icmp_type
    flow.icmp_code = packet.icmp_code
    flow.tcp_state = 0
    flow.state = 0
    flow.first_flags = packet.tcp_flags
    flow.start = packet.ts
    flow.active_start = packet.ts
    flow.active_end = packet.ts
    forward = is_forward(flow, packet)
    side = flow.fwd if forward else flow.bwd
    _update_bulk(flow, forward, packet, rules)
    if rules[_FIRST_LENGTH_TWICE]:
        _add_value(flow.lengths, packet.payload)
    _count_packet(flow, side, packet)
    side.window = packet.window
    # The first packet's RST counts for the flow but for neither direction: see `first_flags`.
    side.rst = 0
    if forward:
        flow.fwd_header_min = packet.header
    else:
        flow.bwd_header_min = packet.header
    if rules[_FIRST_DATA_PACKET] and packet.payload > 0:
        side.data_packets = 1


@inlined
def _update_active_idle(flow: Any, ts: Number) -> None:
    gap = ts - flow.active_end
    if gap > ACTIVITY_TIMEOUT_US:
        if flow.active_end > flow.active_start:
            _add_value(flow.active, flow.active_end - flow.active_start)
        _add_value(flow.idle, gap)
        flow.active_start = ts
    flow.active_end = ts


@inlined
def add_packet(flow: Any, packet: Any, rules: Rules, inactive: bool) -> None:
    """Add a later packet to a flow; an inactive one ends no idle time."""
    if not inactive:
        _update_active_idle(flow, packet.ts)
    gap = packet.ts - flow.last
    _add_value(flow.gaps, gap)
    if gap > _SUBFLOW_GAP_US:
        flow.subflow_gaps += 1
    forward = is_forward(flow, packet)
    side = flow.fwd if forward else flow.bwd
    _update_bulk(flow, forward, packet, rules)
    if side.lengths.count > 0:
        gap = packet.ts - side.last
        _add_value(side.gaps, gap)
        side.gap_total += gap
    _count_packet(flow, side, packet)
    if packet.payload > 0:
        side.data_packets += 1
    if forward:
        flow.fwd_header_min = min(flow.fwd_header_min, packet.header)
    else:
        flow.bwd_header_min = min(flow.bwd_header_min, packet.header)
        if flow.bwd.window == 0 or not rules[_FIRST_BACKWARD_WINDOW]:
            flow.bwd.window = packet.window
