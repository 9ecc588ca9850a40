"""When flows end: the dialect's own times, and what live capture adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MICROSECONDS: Final = 1_000_000
FLOW_TIMEOUT_US: Final = 120 * MICROSECONDS
ACTIVITY_TIMEOUT_US: Final = 5 * MICROSECONDS
BULK_GAP_US: Final = 1 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class LiveRules:
    """Expiry on a wire that goes quiet; a file read without them is exact to the dialect.

    Attributes:
        linger_seconds: how long after its last packet a closed TCP flow (both FINs, or a RST) ends.
        idle_seconds: how long after its last packet any other flow ends.
    """

    linger_seconds: float = 2.0
    idle_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.linger_seconds <= 0 or self.idle_seconds <= 0:
            raise ValueError("linger_seconds and idle_seconds must be above 0")
        if max(self.linger_seconds, self.idle_seconds) * MICROSECONDS > FLOW_TIMEOUT_US:
            raise ValueError("linger_seconds and idle_seconds must not exceed the flow time-out of 120 s")
