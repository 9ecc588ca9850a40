"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 300.0


def back_off(attempts: int) -> float:
    """Return the seconds to wait after `attempts` failed ones, 1 or more.

    They double each time, up to `LONGEST_SECONDS`; up to half is left to chance, so that
    sensors that lost their queue together do not come back together.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts, 32))
    return max(FIRST_SECONDS, longest * random.uniform(0.5, 1.0))
