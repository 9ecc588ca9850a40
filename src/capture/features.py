"""A finished flow becomes a row of features, in the order of `flows.schema.IMPROVED_NAMES`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from capture.decode import PROTOCOL_TCP
from capture.layout import Number
from flows.jit import inlined


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
def _write_bulk(row: NDArray[np.float64], at: Number, side: Any) -> None:
    if side.bulk_count == 0:
        row[at : at + 3] = 0.0
        return
    row[at] = side.bulk_bytes // side.bulk_count
    row[at + 1] = side.bulk_packets // side.bulk_count
    row[at + 2] = np.trunc(side.bulk_bytes / (side.bulk_duration / 1e6)) if side.bulk_duration else 0.0


@inlined
def _write_lengths_and_gaps(row: NDArray[np.float64], flow: Any) -> None:
    _write_lengths(row, 5, flow.fwd.lengths)
    _write_lengths(row, 9, flow.bwd.lengths)
    _write_mean_std_max_min(row, 15, flow.gaps, np.nan)
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
def _write_flags(row: NDArray[np.float64], flow: Any) -> None:
    fwd, bwd = flow.fwd, flow.bwd
    row[29] = fwd.psh
    row[30] = bwd.psh
    row[31] = fwd.urg
    row[32] = bwd.urg
    row[42] = fwd.fin + bwd.fin
    row[43] = flow.syn
    row[44] = fwd.rst + bwd.rst + flow.first_rst
    row[45] = fwd.psh + bwd.psh
    row[46] = flow.ack
    row[47] = fwd.urg + bwd.urg
    row[48] = flow.cwr
    row[49] = flow.ece
    row[76] = fwd.rst
    row[77] = bwd.rst


@inlined
def _write_rates_and_shares(row: NDArray[np.float64], flow: Any, duration: Number) -> None:
    fwd_packets, bwd_packets = flow.fwd.lengths.count, flow.bwd.lengths.count
    fwd_bytes, bwd_bytes = flow.fwd.bytes, flow.bwd.bytes
    packets = fwd_packets + bwd_packets
    seconds = duration / 1e6
    row[13] = (fwd_bytes + bwd_bytes) / seconds
    row[14] = packets / seconds
    row[35] = fwd_packets / seconds if duration > 0 else 0.0
    row[36] = bwd_packets / seconds if duration > 0 else 0.0
    row[50] = bwd_packets / fwd_packets if fwd_packets else 0.0
    row[51] = (fwd_bytes + bwd_bytes) / packets
    row[52] = fwd_bytes / fwd_packets if fwd_packets else 0.0
    row[53] = bwd_bytes / bwd_packets if bwd_packets else 0.0
    row[60] = fwd_packets // packets
    row[61] = fwd_bytes // packets
    row[62] = bwd_packets // packets
    row[63] = bwd_bytes // packets


@inlined
def write_features(flow: Any, row: NDArray[np.float64]) -> None:
    """Write a flow's features into `row` (81 values)."""
    fwd, bwd = flow.fwd, flow.bwd
    duration = flow.last - flow.start
    row[0] = duration
    row[1] = fwd.lengths.count
    row[2] = bwd.lengths.count
    row[3] = fwd.bytes
    row[4] = bwd.bytes
    _write_lengths_and_gaps(row, flow)
    _write_rates_and_shares(row, flow, duration)
    _write_flags(row, flow)
    row[33] = fwd.header
    row[34] = bwd.header
    _write_bulk(row, 54, fwd)
    _write_bulk(row, 57, bwd)
    row[64] = fwd.window
    row[65] = bwd.window
    row[66] = flow.fwd_data_packets
    row[67] = flow.fwd_header_min
    row[78] = flow.icmp_code
    row[79] = flow.icmp_type
    row[80] = flow.earlier_duration + duration if flow.protocol == PROTOCOL_TCP else 0
