"""When flows began, and what was seen of them soon after: what a host's recent past is counted from."""

from __future__ import annotations

from typing import Final

import numpy as np

START_AGE_US: Final = 2_000_000
"""How old a flow is when it is looked at: long enough for an answer, the same on a wire and in a file."""

START: Final = np.dtype(
    [
        ("src_hi", "u8"),
        ("src_lo", "u8"),
        ("dst_hi", "u8"),
        ("dst_lo", "u8"),
        ("uid", "u8"),
        ("start", "i8"),
        ("fwd_bytes", "i8"),
        ("bwd_bytes", "i8"),
        ("fwd_packets", "i4"),
        ("bwd_packets", "i4"),
        ("row", "i4"),
        ("dst_port", "u2"),
        ("protocol", "i2"),
        ("reset", "u1"),
    ],
    align=True,
)
"""A flow as it was at START_AGE_US, or at its end if that came before: addresses (IPv4 mapped), its uid, its
first packet's time (UTC microseconds), payload bytes and packets each way, and whether a RST was seen. `row`
is the meter's own."""
