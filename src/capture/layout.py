"""How the meter keeps its data: packets, flow rows, the hash index and the output buffer.

Everything is a NumPy array, so that one compiled kernel works on it without the GIL and the same
code runs interpreted in tests.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Number: TypeAlias = Any
"""An integer of the kernels: 64 bits when compiled, a Python or NumPy integer when interpreted."""

Records: TypeAlias = Any
"""A record array; NumPy's types know nothing of its fields."""


class Ignored(IntEnum):
    """Why a packet joined no flow; 0 means that it did."""

    METERED = 0
    LINK_TYPE = 1
    ARP = 2
    NOT_IP = 3
    TRUNCATED = 4
    MALFORMED = 5
    PPPOE = 6
    MPLS = 7
    LLC = 8
    """A length instead of an EtherType: spanning tree, CDP, IS-IS."""


class FlowState(IntEnum):
    """What becomes of a flow's next packet."""

    OPEN = 0
    CLOSED = 1
    """Emitted after its close; what still comes is late."""
    CAPPED = 2
    """Emitted at the time-out on a quiet wire; the next packet continues the connection."""
    GONE = 3
    """A free row."""


class TcpState(IntEnum):
    """The termination of a TCP connection as the dialect follows it."""

    OPEN = 0
    FIRST_FIN = 1
    SECOND_FIN = 2
    READY = 3


class Counter(IntEnum):
    """Positions in the meter's counters; `Ignored`, `EndReason` and ages count from their bases."""

    PACKETS = 0
    METERED = 1
    LATE = 2
    OPENED = 3
    LIVE = 4
    NEXT_UID = 5
    OUTPUT = 6
    FREE = 7
    ROWS_USED = 8
    WHEEL_TIME = 9
    EVICTION_HAND = 10
    NEWEST = 11
    STALE_TCP_HEADER = 12
    SEEN = 13
    DROPPED = 14
    EARLY = 15
    IGNORED_BASE = 16
    STARTS_NOTED = 26
    STARTS_AGED = 27
    STARTS_TAKEN = 28
    STARTS_DUE = 29
    FIRST_UID = 30
    EMITTED_BASE = 32
    AGES_FIRST = 48
    AGES_LAST = 56
    SIZE = 64


class Rule(IntEnum):
    """Positions in the meter's rules: first live capture's, in microseconds, then the dialect's."""

    LIVE = 0
    LINGER = 1
    IDLE = 2
    MAX_FLOWS = 3
    STARTS = 4
    CLOSE = 5
    DROPS_SINGLE_PACKETS = 6
    ICMP = 7
    IGMP = 8
    SCTP = 9
    RELABELS_LATE = 10
    DATAGRAMS_STAY = 11
    FIRST_LENGTH_TWICE = 12
    FIRST_PUSH_URGENT_ONLY = 13
    FLAGS = 14
    BULK = 15
    SUBFLOW = 16
    INTEGER_DOWN_UP = 17
    DEFINED_RATES = 18
    FIRST_DATA_PACKET = 19
    FIRST_BACKWARD_WINDOW = 20
    NO_WINDOW = 21
    ZERO_LENGTH_IS_PORTLESS = 22
    PADDING_IS_PAYLOAD = 23
    STALE_UDP_HEADER = 24
    SYN_ACK_REVERSES = 25
    COUNTS_RETRANSMISSIONS = 26
    TIMES_ALL_PROTOCOLS = 27
    UNANSWERED = 28
    """Which of the ages counts for unanswered flows only, -1: none."""
    EARLY = 29
    """The first of LIVE_AGES ages and an unreachable one."""


PACKET: Final = np.dtype(
    [
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("ts", "i8"),
        ("src_port", "i4"),
        ("dst_port", "i4"),
        ("protocol", "i4"),
        ("payload", "i4"),
        ("header", "i4"),
        ("tcp_flags", "i4"),
        ("window", "i4"),
        ("icmp_type", "i4"),
        ("icmp_code", "i4"),
        ("tag", "u8"),
        ("ignored", "i8"),
        ("sequence", "i8"),
        ("acknowledged", "i8"),
    ],
    align=True,
)

PACKETS_AT_ONCE: Final = 32
"""Packets decoded ahead, so that the memory of their flows is on its way while others are added."""

LENGTHS: Final = np.dtype(
    [("m1", "f8"), ("m2", "f8"), ("lowest", "i4"), ("highest", "i4"), ("count", "i4")], align=True
)
"""Running statistics of payload lengths, bytes: mean, sum of squared deviations, extremes.

Names that NumPy's own records have, such as min and flags, cannot be fields."""

TIMES: Final = np.dtype(
    [("m1", "f8"), ("m2", "f8"), ("lowest", "i8"), ("highest", "i8"), ("count", "i4")], align=True
)
"""Running statistics of gaps, microseconds."""

DIRECTION: Final = np.dtype(
    [
        ("lengths", LENGTHS),
        ("gaps", TIMES),
        ("last", "i8"),
        ("bytes", "i8"),
        ("gap_total", "i8"),
        ("bulk_start", "i8"),
        ("bulk_last", "i8"),
        ("bulk_bytes_open", "i8"),
        ("bulk_bytes", "i8"),
        ("bulk_duration", "i8"),
        ("bulk_packets_open", "i4"),
        ("bulk_packets", "i4"),
        ("bulk_count", "i4"),
        ("header", "i4"),
        ("psh", "i4"),
        ("urg", "i4"),
        ("rst", "i4"),
        ("fin", "i4"),
        ("window", "i4"),
        ("data_packets", "i4"),
    ],
    align=True,
)
"""What one direction of a flow has shown; `bulk_*_open` belong to a run that may become a bulk."""

FLOW: Final = np.dtype(
    [
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("uid", "u8"),
        ("start", "i8"),
        ("last", "i8"),
        ("active_start", "i8"),
        ("active_end", "i8"),
        ("earlier_duration", "i8"),
        ("lengths", LENGTHS),
        ("gaps", TIMES),
        ("active", TIMES),
        ("idle", TIMES),
        ("fwd", DIRECTION),
        ("bwd", DIRECTION),
        ("src_port", "u2"),
        ("dst_port", "u2"),
        ("syn", "i4"),
        ("ack", "i4"),
        ("cwr", "i4"),
        ("ece", "i4"),
        ("subflow_gaps", "i4"),
        ("fwd_header_min", "i2"),
        ("bwd_header_min", "i2"),
        ("tag", "u4"),
        ("timer_next", "i4"),
        ("timer_prev", "i4"),
        ("timer_slot", "i2"),
        ("icmp_type", "i2"),
        ("icmp_code", "i2"),
        ("protocol", "i2"),
        ("first_flags", "u1"),
        ("early", "u1"),
        ("waits", "u1"),
        ("revision", "u1"),
        ("tcp_state", "i1"),
        ("state", "i1"),
    ],
    align=True,
)

CONNECTION: Final = np.dtype([("id", "u8"), ("fwd_repeated", "i4"), ("bwd_repeated", "i4")], align=True)
"""What a dialect that counts retransmissions keeps of a row besides its flow."""

WAIT: Final = np.dtype([("ahead", "i4"), ("behind", "i4")])
"""The rows before and after a row that waits for an age, -1 at the ends."""

EMITTED: Final = np.dtype(
    [
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("uid", "u8"),
        ("start", "i8"),
        ("last", "i8"),
        ("src_port", "i4"),
        ("dst_port", "i4"),
        ("protocol", "i2"),
        ("end_reason", "u1"),
        ("revision", "u1"),
    ],
    align=True,
)


class PacketIndex(NamedTuple):
    """Where the packets of a block are: what a framer fills and the kernel reads.

    Attributes:
        offset: int64; a packet's first byte in the block.
        captured: int32; bytes captured of it.
        ts: int64; UTC microseconds.
        link: int32; its link type (LINKTYPE_ number).
    """

    offset: NDArray[np.int64]
    captured: NDArray[np.int32]
    ts: NDArray[np.int64]
    link: NDArray[np.int32]


class MeterState(NamedTuple):
    """All that the kernel works on.

    Attributes:
        flows: FLOW rows.
        connections: CONNECTION rows beside `flows`; one row unless the dialect counts retransmissions.
        waits: WAIT rows beside `flows`.
        slots: uint64, a power of two; hash tag above row + 1, 0 when empty.
        seen: uint64, 2 x a power of two; hashes of the TCP packets seen, in two generations. One slot
            each unless the dialect counts retransmissions.
        free: int32; rows to use again, a stack.
        wheel: int32; first row of each time slot, -1 when empty.
        counters: int64, see Counter.
        rules: int64, see Rule.
        packet: PACKETS_AT_ONCE of PACKET, those in hand.
        starts: START rows, a power of two; one unless starts are noted.
        out: EMITTED rows.
        out_features: float64, len(out) x features.
    """

    flows: Records
    connections: Records
    waits: Records
    slots: NDArray[np.uint64]
    seen: NDArray[np.uint64]
    free: NDArray[np.int32]
    wheel: NDArray[np.int32]
    counters: NDArray[np.int64]
    rules: NDArray[np.int64]
    packet: Records
    starts: Records
    out: Records
    out_features: NDArray[np.float64]


def records(count: int, dtype: np.dtype[Any]) -> Records:
    """Return zeroed rows whose fields are attributes, compiled and interpreted alike."""
    return np.zeros(count, dtype).view(np.recarray)


def packet_index(capacity: int) -> PacketIndex:
    """Return room for the places of `capacity` packets."""
    return PacketIndex(
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.int32),
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.int32),
    )
