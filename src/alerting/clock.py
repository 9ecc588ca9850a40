"""The two clocks of alerting: one that only goes forward, one that says the time of day."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


def _wall_us() -> int:
    return time.time_ns() // 1000


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from.

    Attributes:
        monotonic: seconds; windows and intervals are measured with it, so that a set clock moves none.
        wall_us: UTC microseconds; only shown, and compared with a rule's `until`.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall_us: Callable[[], int] = _wall_us


SYSTEM_CLOCK: Final = Clock()
