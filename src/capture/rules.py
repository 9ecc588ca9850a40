"""When flows end: the dialect's own times, and what live capture adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MICROSECONDS: Final = 1_000_000
FLOW_TIMEOUT_US: Final = 120 * MICROSECONDS
ACTIVITY_TIMEOUT_US: Final = 5 * MICROSECONDS
BULK_GAP_US: Final = 1 * MICROSECONDS
EARLY_AGES: Final = 4
"""How often a flow can be emitted provisionally."""


@dataclass(frozen=True, slots=True)
class LiveRules:
    """Expiry on a wire that goes quiet; a file read without them is exact to the dialect.

    Attributes:
        linger_seconds: how long after its last packet a closed TCP flow (both FINs, or a RST) ends.
        idle_seconds: how long after its last packet any other flow ends.
        early_seconds: ages, ascending, at which a flow still open is emitted provisionally.
    """

    linger_seconds: float = 2.0
    idle_seconds: float = 60.0
    early_seconds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.linger_seconds <= 0 or self.idle_seconds <= 0:
            raise ValueError("linger_seconds and idle_seconds must be above 0")
        if max(self.linger_seconds, self.idle_seconds) * MICROSECONDS > FLOW_TIMEOUT_US:
            raise ValueError("linger_seconds and idle_seconds must not exceed the flow time-out of 120 s")
        ages = self.early_seconds
        within = all(0 < age * MICROSECONDS < FLOW_TIMEOUT_US for age in ages)
        if len(ages) > EARLY_AGES or list(ages) != sorted(set(ages)) or not within:
            raise ValueError(
                f"early_seconds must be at most {EARLY_AGES} ages, ascending, above 0 and below 120 s"
            )
