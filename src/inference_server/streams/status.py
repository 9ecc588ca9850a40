"""What streams tell of themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamsStatus:
    """Counters since the start, and what there is now.

    Attributes:
        opened: streams.
        packets, flows, attacks: of them, those that are open included.
        active: streams that are open.
    """

    opened: int
    packets: int
    flows: int
    attacks: int
    active: int
