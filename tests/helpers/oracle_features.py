"""The oracle's arithmetic: the features of a finished flow, from the list of its packets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from helpers.oracle_flows import Flow
from helpers.oracle_packets import ACK, CWR, ECE, FIN, PSH, RST, SYN, TCP, UDP, URG, Packet

ORIGINAL = ("cic-2017", "cic-2018", "cic-v4")
OF_2017_AND_2018 = ("cic-2017", "cic-2018")
ACTIVITY_TIMEOUT = 5_000_000
SECOND = 1_000_000
FLAG_COLUMNS = {
    "fin_flag_cnt": FIN,
    "syn_flag_cnt": SYN,
    "rst_flag_cnt": RST,
    "psh_flag_cnt": PSH,
    "ack_flag_cnt": ACK,
    "urg_flag_cnt": URG,
    "cwe_flag_count": CWR,
    "ece_flag_cnt": ECE,
}
# A hash map without order gave the columns of 2017 and 2018 these flags, of the first packet alone.
MIXED_FLAGS = (RST, PSH, ECE, SYN, ACK, FIN, URG, CWR)


@dataclass(frozen=True)
class Statistics:
    """Statistics in the order of arrival, by the recurrence of commons-math."""

    count: int
    total: float
    mean: float
    variance: float
    largest: float
    smallest: float

    @property
    def std(self) -> float:
        return math.sqrt(self.variance)


def statistics(values: Sequence[int]) -> Statistics:
    mean = squares = 0.0
    for n, value in enumerate(values, start=1):
        deviation = value - mean
        mean += deviation / n
        squares += (n - 1) * deviation * (deviation / n)
    if not values:
        return Statistics(0, 0.0, math.nan, math.nan, math.nan, math.nan)
    variance = squares / (len(values) - 1) if len(values) > 1 else 0.0
    return Statistics(len(values), float(sum(values)), mean, variance, max(values), min(values))


def _or_zero(found: Statistics) -> Statistics:
    return found if found.count else Statistics(0, 0.0, 0.0, 0.0, 0.0, 0.0)


def _divided(one: float, other: float) -> float:
    """Division as Java's doubles do it."""
    if other:
        return one / other
    return math.nan if one == 0 or math.isnan(one) else math.copysign(math.inf, one)


def features(flow: Flow, dialect: str) -> dict[str, float]:
    """Return every feature that a dialect has, and those that only others have."""
    fwd = [member.packet for member in flow.members if member.forward]
    bwd = [member.packet for member in flow.members if not member.forward]
    found = {
        "flow_duration": flow.last.time - flow.first.time,
        "tot_fwd_pkts": len(fwd),
        "tot_bwd_pkts": len(bwd),
        "totlen_fwd_pkts": _payload(fwd),
        "totlen_bwd_pkts": _payload(bwd),
    }
    return {
        **found,
        **_lengths(flow, fwd, bwd, dialect),
        **_gaps(flow, fwd, bwd, dialect),
        **_rates(flow, fwd, bwd, dialect),
        **_flags(flow, fwd, bwd, dialect),
        **_headers_and_windows(flow, fwd, bwd, dialect),
        **_bulks(flow, dialect),
        **_subflows(flow, fwd, bwd, dialect),
        **_active_and_idle(flow),
        **_beyond_76(flow, dialect),
    }


def _payload(packets: Sequence[Packet]) -> int:
    return sum(packet.payload for packet in packets)


def _four(name: str, found: Statistics) -> dict[str, float]:
    return {
        f"{name}_max": found.largest,
        f"{name}_min": found.smallest,
        f"{name}_mean": found.mean,
        f"{name}_std": found.std,
    }


def _lengths(flow: Flow, fwd: list[Packet], bwd: list[Packet], dialect: str) -> dict[str, float]:
    lengths = [member.packet.payload for member in flow.members]
    if dialect in ORIGINAL:
        lengths = [lengths[0], *lengths]
    both = statistics(lengths)
    return {
        **_four("fwd_pkt_len", _or_zero(statistics([packet.payload for packet in fwd]))),
        **_four("bwd_pkt_len", _or_zero(statistics([packet.payload for packet in bwd]))),
        **_four("pkt_len", both),
        "pkt_len_var": both.variance,
        "pkt_size_avg": both.total / len(flow.members),
        "fwd_seg_size_avg": _payload(fwd) / len(fwd) if fwd else 0.0,
        "bwd_seg_size_avg": _payload(bwd) / len(bwd) if bwd else 0.0,
    }


def _gaps_between(packets: Sequence[Packet]) -> Statistics:
    return statistics([later.time - earlier.time for earlier, later in pairwise(packets)])


def _gaps(flow: Flow, fwd: list[Packet], bwd: list[Packet], dialect: str) -> dict[str, float]:
    both = _gaps_between([member.packet for member in flow.members])
    one, other = _or_zero(_gaps_between(fwd)), _or_zero(_gaps_between(bwd))
    return {
        **_four("flow_iat", _or_zero(both) if dialect == "improved-2024" else both),
        **_four("fwd_iat", one),
        "fwd_iat_tot": one.total,
        **_four("bwd_iat", other),
        "bwd_iat_tot": other.total,
    }


def _rates(flow: Flow, fwd: list[Packet], bwd: list[Packet], dialect: str) -> dict[str, float]:
    duration = flow.last.time - flow.first.time
    seconds = duration / SECOND
    undefined = dialect == "improved-2024" and duration == 0
    ratio = len(bwd) / len(fwd) if fwd else 0.0
    return {
        "flow_byts_s": -1.0 if undefined else _divided(_payload(fwd) + _payload(bwd), seconds),
        "flow_pkts_s": -1.0 if undefined else _divided(len(flow.members), seconds),
        "fwd_pkts_s": len(fwd) / seconds if duration > 0 else 0.0,
        "bwd_pkts_s": len(bwd) / seconds if duration > 0 else 0.0,
        "down_up_ratio": float(int(ratio)) if dialect in ORIGINAL else ratio,
    }


def _having(packets: Sequence[Packet], flag: int) -> int:
    return sum(packet.has(flag) for packet in packets)


def _flags(flow: Flow, fwd: list[Packet], bwd: list[Packet], dialect: str) -> dict[str, float]:
    found: dict[str, float] = {
        "fwd_psh_flags": _having(fwd, PSH),
        "bwd_psh_flags": _having(bwd, PSH),
        "fwd_urg_flags": _having(fwd, URG),
        "bwd_urg_flags": _having(bwd, URG),
        **{name: _having([*fwd, *bwd], flag) for name, flag in FLAG_COLUMNS.items()},
    }
    if dialect in ORIGINAL:
        # Only the first packet, which counts as forward, reaches the counters by direction.
        found |= {"fwd_psh_flags": flow.first.has(PSH), "bwd_psh_flags": 0}
        found |= {"fwd_urg_flags": flow.first.has(URG), "bwd_urg_flags": 0}
    if dialect in OF_2017_AND_2018:
        found |= zip(FLAG_COLUMNS, (flow.first.has(flag) for flag in MIXED_FLAGS), strict=True)
    return found


def _headers_and_windows(flow: Flow, fwd: list[Packet], bwd: list[Packet], dialect: str) -> dict[str, float]:
    later = [member.packet for member in flow.members[1:] if member.forward]
    data = fwd if dialect == "improved-2024" else later
    windows = [packet.window for packet in bwd]
    if not windows:
        window = -1 if dialect in OF_2017_AND_2018 else 0
    elif dialect == "improved-2024":
        window = next((found for found in windows if found), 0)
    else:
        window = windows[-1]
    return {
        "fwd_header_len": sum(packet.header for packet in fwd),
        "bwd_header_len": sum(packet.header for packet in bwd),
        "init_fwd_win_byts": flow.first.window if flow.members[0].forward else 0,
        "init_bwd_win_byts": window,
        "fwd_act_data_pkts": sum(packet.payload > 0 for packet in data),
        "fwd_seg_size_min": _smallest_header(flow, fwd, forward=True),
    }


def _smallest_header(flow: Flow, packets: list[Packet], *, forward: bool) -> int:
    # The minimum begins at 0 for the side that does not begin the flow, so it stays there.
    if flow.members[0].forward != forward:
        return 0
    return min(packet.header for packet in packets)


class Bulks:
    """Runs of data packets of one side that become bulks with the fourth."""

    def __init__(self) -> None:
        self.began: int | None = None
        self.last: int | None = None
        self.run: list[int] = []
        self.count = self.packets = self.size = self.duration = 0

    def packet(self, packet: Packet, other_last: int | None) -> None:
        if self.began is not None and other_last is not None and other_last > self.began:
            self.began = None
        if not packet.payload:
            return
        if self.began is None or self.last is None or packet.time - self.last > SECOND:
            self.began, self.run = packet.time, []
        self.run.append(packet.payload)
        if len(self.run) == 4:
            self.count += 1
            self.packets += 4
            self.size += sum(self.run)
            self.duration += packet.time - self.began
        elif len(self.run) > 4:
            self.packets += 1
            self.size += packet.payload
            self.duration += packet.time - (self.last or 0)
        self.last = packet.time

    def averages(self, side: str, rounded: Callable[[float], float]) -> dict[str, float]:
        seconds = self.duration / SECOND
        return {
            f"{side}_byts_b_avg": rounded(self.size / self.count) if self.count else 0,
            f"{side}_pkts_b_avg": rounded(self.packets / self.count) if self.count else 0,
            f"{side}_blk_rate_avg": rounded(self.size / seconds) if seconds else 0,
        }


def _bulks(flow: Flow, dialect: str) -> dict[str, float]:
    fwd, bwd = Bulks(), Bulks()
    for member in flow.members:
        if dialect in OF_2017_AND_2018:
            continue
        if dialect == "cic-v4":
            # Addresses are compared as objects, so all packets are taken for backward ones.
            bwd.packet(member.packet, None)
        elif member.forward:
            fwd.packet(member.packet, bwd.last)
        else:
            bwd.packet(member.packet, fwd.last)
    rounded = float if dialect == "improved-2024" else math.trunc
    return {**fwd.averages("fwd", rounded), **bwd.averages("bwd", rounded)}


def _subflows(flow: Flow, fwd: list[Packet], bwd: list[Packet], dialect: str) -> dict[str, float]:
    pauses = sum(
        later.packet.time - earlier.packet.time > SECOND for earlier, later in pairwise(flow.members)
    )
    if dialect in OF_2017_AND_2018:
        parts = 1
    elif dialect == "improved":
        parts = len(flow.members)
    else:
        parts = pauses
    totals = {
        "subflow_fwd_pkts": len(fwd),
        "subflow_fwd_byts": _payload(fwd),
        "subflow_bwd_pkts": len(bwd),
        "subflow_bwd_byts": _payload(bwd),
    }
    if not parts:
        return dict.fromkeys(totals, 0.0)
    if dialect == "improved-2024":
        return {name: total / parts for name, total in totals.items()}
    return {name: float(total // parts) for name, total in totals.items()}


def _active_and_idle(flow: Flow) -> dict[str, float]:
    active: list[int] = []
    idle: list[int] = []
    began = ended = flow.first.time
    for member in flow.members[1:]:
        if member.silent:
            continue
        now = member.packet.time
        if now - ended > ACTIVITY_TIMEOUT:
            if ended > began:
                active.append(ended - began)
            idle.append(now - ended)
            began = now
        ended = now
    return {
        **_four("active", _or_zero(statistics(active))),
        **_four("idle", _or_zero(statistics(idle))),
    }


def _beyond_76(flow: Flow, dialect: str) -> dict[str, float]:
    bwd = [member.packet for member in flow.members if not member.forward]
    later = flow.members[1:]
    duration = flow.last.time - flow.first.time
    timed = (TCP, UDP) if dialect == "improved-2024" else (TCP,)
    repeated = [member.forward for member in flow.members if member.repeated]
    connection = flow.earlier + duration if flow.protocol in timed else 0
    return {
        "fwd_rst_flags": sum(m.forward and m.packet.has(RST) for m in later),
        "bwd_rst_flags": sum(not m.forward and m.packet.has(RST) for m in later),
        "icmp_code": flow.first.icmp_code,
        "icmp_type": flow.first.icmp_type,
        "total_tcp_flow_time": connection,
        "total_connection_flow_time": connection,
        "bwd_act_data_pkts": sum(packet.payload > 0 for packet in bwd),
        "bwd_seg_size_min": _smallest_header(flow, bwd, forward=False),
        "fwd_tcp_retrans_cnt": repeated.count(True),
        "bwd_tcp_retrans_cnt": repeated.count(False),
        "total_tcp_retrans_cnt": len(repeated),
    }
