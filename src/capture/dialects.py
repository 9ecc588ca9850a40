"""Dialects: what each CICFlowMeter generation does differently, as data that the one kernel reads.

The rules beside each name are those of the flow meter's specification; docs/features.md has them by
feature.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from flows.schema import COMMON_NAMES, IMPROVED_2024_NAMES, IMPROVED_NAMES


class Close(IntEnum):
    """When a TCP flow ends, apart from the time-out."""

    NEXT_SYN = 0
    """At the SYN that follows FIN, FIN, ACK or a RST; until then later packets are absorbed."""
    FIRST_FIN = 1
    """At the first FIN that is not the flow's first packet; a RST is ignored."""
    BACKWARD_FIN = 2
    """At a RST or the first backward FIN; a second forward FIN is discarded."""


class Flags(IntEnum):
    """What the flag columns count."""

    ALL = 0
    FIRST_PACKET_MIXED = 1
    """The first packet only, in the order of a hash map: FIN holds RST, SYN holds PSH, and so on."""


class Bulk(IntEnum):
    """What the bulk columns hold."""

    INTEGER = 0
    FLOAT = 1
    NEVER = 2
    BOTH_AS_BACKWARD = 3
    """Both directions' packets as one series, in the backward columns."""


class Subflow(IntEnum):
    """What the totals are divided by."""

    PACKETS = 0
    """The number of packets, in integers."""
    ONE = 1
    GAPS = 2
    """The number of gaps over 1 s, in integers; 0 without one."""
    GAPS_FLOAT = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """One dialect's rules, in the order of `Rule`.

    Attributes:
        close: when a TCP flow ends.
        drops_single_packets: flows of one packet are not emitted.
        icmp, igmp, sctp: told apart by protocol; otherwise they join the host pair's protocol 0, and an
            ICMP error is taken for the packet it quotes.
        relabels_late: a flow that the time-out cut counts its next packet as forward, whoever sent it.
        datagrams_stay: a datagram dialogue keeps its direction over the time-out unless it paused as long.
        first_length_twice: the first packet's length counts twice in the statistics of all lengths.
        first_push_urgent_only: PSH and URG by direction are counted in the first packet only.
        flags: what the flag columns count.
        bulk: what the bulk columns hold.
        subflow: what subflow totals are divided by.
        integer_down_up: the down/up ratio is an integer division.
        defined_rates: rates of a flow without duration are -1, and missing gaps 0.
        first_data_packet: the first forward packet counts among those with data.
        first_backward_window: the first backward window that is not 0, instead of the last.
        no_window: the window of what has none: 0 or -1.
        zero_length_is_portless: an IP length of 0, as segmentation offload leaves it, hides layer 4.
        padding_is_payload: all that was captured after the layer-4 header is payload.
        stale_udp_header: a UDP header is as long as the last TCP header seen.
        syn_ack_reverses: a flow that begins with SYN+ACK belongs to the receiver.
        counts_retransmissions: TCP packets seen before in a connection are counted.
        times_all_protocols: the time of a connection counts for UDP too.
    """

    close: Close = Close.NEXT_SYN
    drops_single_packets: bool = False
    icmp: bool = True
    igmp: bool = False
    sctp: bool = False
    relabels_late: bool = False
    datagrams_stay: bool = False
    first_length_twice: bool = False
    first_push_urgent_only: bool = False
    flags: Flags = Flags.ALL
    bulk: Bulk = Bulk.INTEGER
    subflow: Subflow = Subflow.PACKETS
    integer_down_up: bool = False
    defined_rates: bool = False
    first_data_packet: bool = False
    first_backward_window: bool = False
    no_window: int = 0
    zero_length_is_portless: bool = False
    padding_is_payload: bool = False
    stale_udp_header: bool = False
    syn_ack_reverses: bool = False
    counts_retransmissions: bool = False
    times_all_protocols: bool = False


_CIC_2018: Final = Rules(
    close=Close.FIRST_FIN,
    drops_single_packets=True,
    icmp=False,
    relabels_late=True,
    first_length_twice=True,
    first_push_urgent_only=True,
    flags=Flags.FIRST_PACKET_MIXED,
    bulk=Bulk.NEVER,
    subflow=Subflow.ONE,
    integer_down_up=True,
    no_window=-1,
    zero_length_is_portless=True,
)

RULES: Final[dict[str, Rules]] = {
    "improved": Rules(),
    "improved-2024": Rules(
        igmp=True,
        sctp=True,
        datagrams_stay=True,
        bulk=Bulk.FLOAT,
        subflow=Subflow.GAPS_FLOAT,
        defined_rates=True,
        first_data_packet=True,
        first_backward_window=True,
        syn_ack_reverses=True,
        counts_retransmissions=True,
        times_all_protocols=True,
    ),
    "cic-2018": _CIC_2018,
    "cic-2017": replace(_CIC_2018, padding_is_payload=True, stale_udp_header=True),
    "cic-v4": Rules(
        close=Close.BACKWARD_FIN,
        drops_single_packets=True,
        icmp=False,
        relabels_late=True,
        first_length_twice=True,
        first_push_urgent_only=True,
        bulk=Bulk.BOTH_AS_BACKWARD,
        subflow=Subflow.GAPS,
        integer_down_up=True,
        zero_length_is_portless=True,
    ),
}

_FEATURE_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "improved": IMPROVED_NAMES,
    "improved-2024": IMPROVED_2024_NAMES,
}


def feature_names(dialect: str) -> tuple[str, ...]:
    """Return the features that a dialect measures."""
    return _FEATURE_NAMES.get(dialect, COMMON_NAMES)


def rule_values(dialect: str) -> NDArray[np.int64]:
    """Return a dialect's rules as the kernel reads them, in the order of `Rules`.

    Raises:
        ValueError: the meter does not know the dialect.
    """
    if dialect not in RULES:
        raise ValueError(f"dialect {dialect!r} cannot be metered: use one of {', '.join(RULES)}")
    return np.array([int(value) for value in astuple(RULES[dialect])], np.int64)
