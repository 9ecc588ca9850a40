"""When flows end: the dialect's own times, and what live capture adds to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MICROSECONDS: Final = 1_000_000
FLOW_TIMEOUT_US: Final = 120 * MICROSECONDS
ACTIVITY_TIMEOUT_US: Final = 5 * MICROSECONDS
BULK_GAP_US: Final = 1 * MICROSECONDS
EARLY_AGES: Final = 4
"""At how many ages every flow can be emitted provisionally."""
LIVE_AGES: Final = EARLY_AGES + 1
"""These, and the age of unanswered flows."""


EARLY_SECONDS: Final = (10.0, 30.0)
"""The ages at which live flows are emitted provisionally, and training flows are there as they were."""
UNANSWERED_SECONDS: Final = 2.0
"""The same of unanswered ones: long enough for an answer."""


@dataclass(frozen=True, slots=True)
class LiveRules:
    """Expiry on a wire that goes quiet; a file read without them is exact to the dialect.

    Attributes:
        linger_seconds: how long after its last packet a closed TCP flow (both FINs, or a RST) ends.
        idle_seconds: how long after its last packet any other flow ends.
        early_seconds: ages, ascending, at which a flow still open is emitted provisionally, if anything came
            since the last time.
        unanswered_seconds: the age at which one that has packets of one direction only is, too; 0: none.
    """

    linger_seconds: float = 2.0
    idle_seconds: float = 60.0
    early_seconds: tuple[float, ...] = ()
    unanswered_seconds: float = 0.0

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
        if not 0 <= self.unanswered_seconds * MICROSECONDS < FLOW_TIMEOUT_US:
            raise ValueError("unanswered_seconds must be 0 (none), or above 0 and below 120 s")

    def ages_us(self) -> tuple[list[int], int]:
        """Return all ages, microseconds, and which of them is for unanswered flows only, -1: none."""
        ages = [round(age * MICROSECONDS) for age in self.early_seconds]
        unanswered = round(self.unanswered_seconds * MICROSECONDS)
        if not unanswered or unanswered in ages:
            return ages, -1
        ages = sorted([*ages, unanswered])
        return ages, ages.index(unanswered)
