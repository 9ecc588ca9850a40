"""A finished flow becomes a row of features, in the order of `capture.dialects.feature_names`."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from capture.decode import PROTOCOL_TCP, PROTOCOL_UDP
from capture.dialects import Bulk, Flags, Subflow
from capture.layout import Number, Rule
from capture.update import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG
from flows.jit import inlined

Rules = NDArray[np.int64]

_FIRST_LENGTH_TWICE: Final = int(Rule.FIRST_LENGTH_TWICE)
_FIRST_PUSH_URGENT_ONLY: Final = int(Rule.FIRST_PUSH_URGENT_ONLY)
_RULE_FLAGS: Final = int(Rule.FLAGS)
_RULE_BULK: Final = int(Rule.BULK)
_RULE_SUBFLOW: Final = int(Rule.SUBFLOW)
_INTEGER_DOWN_UP: Final = int(Rule.INTEGER_DOWN_UP)
_DEFINED_RATES: Final = int(Rule.DEFINED_RATES)
_NO_WINDOW: Final = int(Rule.NO_WINDOW)
_TIMES_ALL: Final = int(Rule.TIMES_ALL_PROTOCOLS)
_MIXED: Final = int(Flags.FIRST_PACKET_MIXED)
_FLOAT: Final = int(Bulk.FLOAT)
_ONE: Final = int(Subflow.ONE)
_GAPS: Final = int(Subflow.GAPS)
_GAPS_FLOAT: Final = int(Subflow.GAPS_FLOAT)


@inlined
def _variance(statistics: Any) -> float:
    """Sample variance; 0 for one value, NaN for none."""
    if statistics.count > 1:
        return float(statistics.m2 / (statistics.count - 1))
    return 0.0 if statistics.count == 1 else np.nan


@inlined
def _write_mean_std_max_min(row: NDArray[np.float64], at: Number, statistics: Any, none: float) -> None:
    if statistics.count == 0:
        row[at : at + 4] = none
        return
    row[at] = statistics.m1
    row[at + 1] = np.sqrt(_variance(statistics))
    row[at + 2] = statistics.highest
    row[at + 3] = statistics.lowest


@inlined
def _write_lengths(row: NDArray[np.float64], at: Number, lengths: Any) -> None:
    if lengths.count == 0:
        row[at : at + 4] = 0.0
        return
    row[at] = lengths.highest
    row[at + 1] = lengths.lowest
    row[at + 2] = lengths.m1
    row[at + 3] = np.sqrt(_variance(lengths))


@inlined
def _write_bulk(row: NDArray[np.float64], at: Number, side: Any, rules: Rules) -> None:
    if side.bulk_count == 0:
        row[at : at + 3] = 0.0
        return
    row[at] = side.bulk_bytes / side.bulk_count
    row[at + 1] = side.bulk_packets / side.bulk_count
    row[at + 2] = side.bulk_bytes / (side.bulk_duration / 1e6) if side.bulk_duration else 0.0
    if rules[_RULE_BULK] != _FLOAT:
        row[at : at + 3] = np.trunc(row[at : at + 3])


@inlined
def _write_lengths_and_gaps(row: NDArray[np.float64], flow: Any, rules: Rules) -> None:
    _write_lengths(row, 5, flow.fwd.lengths)
    _write_lengths(row, 9, flow.bwd.lengths)
    _write_mean_std_max_min(row, 15, flow.gaps, 0.0 if rules[_DEFINED_RATES] else np.nan)
    row[19] = flow.fwd.gap_total
    _write_mean_std_max_min(row, 20, flow.fwd.gaps, 0.0)
    row[24] = flow.bwd.gap_total
    _write_mean_std_max_min(row, 25, flow.bwd.gaps, 0.0)
    row[37] = flow.lengths.lowest
    row[38] = flow.lengths.highest
    row[39] = flow.lengths.m1
    row[41] = _variance(flow.lengths)
    row[40] = np.sqrt(row[41])
    _write_mean_std_max_min(row, 68, flow.active, 0.0)
    _write_mean_std_max_min(row, 72, flow.idle, 0.0)


@inlined
def _bit(flags: Number, flag: Number) -> Number:
    return 1 if flags & flag else 0


@inlined
def _write_flags(row: NDArray[np.float64], flow: Any, rules: Rules) -> None:
    fwd, bwd, first = flow.fwd, flow.bwd, flow.first_flags
    row[29] = fwd.psh
    row[30] = bwd.psh
    row[31] = fwd.urg
    row[32] = bwd.urg
    if rules[_FIRST_PUSH_URGENT_ONLY]:
        row[29] = _bit(first, PSH)
        row[31] = _bit(first, URG)
        row[30] = row[32] = 0.0
    if rules[_RULE_FLAGS] == _MIXED:
        for at, flag in enumerate((RST, PSH, ECE, SYN, ACK, FIN, URG, CWR)):
            row[42 + at] = _bit(first, flag)
        return
    row[42] = fwd.fin + bwd.fin
    row[43] = flow.syn
    row[44] = fwd.rst + bwd.rst + _bit(first, RST)
    row[45] = fwd.psh + bwd.psh
    row[46] = flow.ack
    row[47] = fwd.urg + bwd.urg
    row[48] = flow.cwr
    row[49] = flow.ece


@inlined
def _write_rates(row: NDArray[np.float64], flow: Any, duration: Number, rules: Rules) -> None:
    fwd_packets, bwd_packets = flow.fwd.lengths.count, flow.bwd.lengths.count
    seconds = duration / 1e6
    if duration == 0 and rules[_DEFINED_RATES]:
        row[13] = row[14] = -1.0
    else:
        row[13] = (flow.fwd.bytes + flow.bwd.bytes) / seconds
        row[14] = (fwd_packets + bwd_packets) / seconds
    row[35] = fwd_packets / seconds if duration > 0 else 0.0
    row[36] = bwd_packets / seconds if duration > 0 else 0.0


@inlined
def _write_averages(row: NDArray[np.float64], flow: Any, rules: Rules) -> None:
    fwd_packets, bwd_packets = flow.fwd.lengths.count, flow.bwd.lengths.count
    row[50] = bwd_packets / fwd_packets if fwd_packets else 0.0
    if rules[_INTEGER_DOWN_UP]:
        row[50] = np.floor(row[50])
    row[51] = (flow.fwd.bytes + flow.bwd.bytes) / (fwd_packets + bwd_packets)
    if rules[_FIRST_LENGTH_TWICE]:
        # Their sum holds the first length twice, their number does not.
        row[51] = np.rint(flow.lengths.m1 * flow.lengths.count) / (fwd_packets + bwd_packets)
    row[52] = flow.fwd.bytes / fwd_packets if fwd_packets else 0.0
    row[53] = flow.bwd.bytes / bwd_packets if bwd_packets else 0.0


@inlined
def _write_subflow(row: NDArray[np.float64], flow: Any, rules: Rules) -> None:
    row[60] = flow.fwd.lengths.count
    row[61] = flow.fwd.bytes
    row[62] = flow.bwd.lengths.count
    row[63] = flow.bwd.bytes
    parts = flow.fwd.lengths.count + flow.bwd.lengths.count
    if rules[_RULE_SUBFLOW] == _ONE:
        return
    if rules[_RULE_SUBFLOW] in (_GAPS, _GAPS_FLOAT):
        parts = flow.subflow_gaps
    for at in range(60, 64):
        row[at] = row[at] / parts if parts else 0.0
        if rules[_RULE_SUBFLOW] != _GAPS_FLOAT:
            row[at] = np.floor(row[at])


@inlined
def _write_extras(row: NDArray[np.float64], flow: Any, duration: Number, rules: Rules) -> None:
    row[76] = flow.fwd.rst
    row[77] = flow.bwd.rst
    row[78] = flow.icmp_code
    row[79] = flow.icmp_type
    timed = flow.protocol == PROTOCOL_TCP or (rules[_TIMES_ALL] and flow.protocol == PROTOCOL_UDP)
    row[80] = flow.earlier_duration + duration if timed else 0


@inlined
def write_features(flow: Any, connection: Any, row: NDArray[np.float64], rules: Rules) -> None:
    """Write a flow's features into `row`: 76, or those of the improved dialects, 81 and 86."""
    fwd, bwd = flow.fwd, flow.bwd
    duration = flow.last - flow.start
    row[0] = duration
    row[1] = fwd.lengths.count
    row[2] = bwd.lengths.count
    row[3] = fwd.bytes
    row[4] = bwd.bytes
    _write_lengths_and_gaps(row, flow, rules)
    _write_rates(row, flow, duration, rules)
    _write_averages(row, flow, rules)
    _write_flags(row, flow, rules)
    row[33] = fwd.header
    row[34] = bwd.header
    _write_bulk(row, 54, fwd, rules)
    _write_bulk(row, 57, bwd, rules)
    _write_subflow(row, flow, rules)
    row[64] = fwd.window
    row[65] = bwd.window if bwd.lengths.count else rules[_NO_WINDOW]
    row[66] = fwd.data_packets
    row[67] = flow.fwd_header_min
    if row.shape[0] > 76:
        _write_extras(row, flow, duration, rules)
    if row.shape[0] > 81:
        row[81] = bwd.data_packets
        row[82] = flow.bwd_header_min
        row[83] = connection.fwd_repeated
        row[84] = connection.bwd_repeated
        row[85] = connection.fwd_repeated + connection.bwd_repeated
