"""How many requests a minute a caller may send."""

from __future__ import annotations

import math
import time
from typing import Final

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from inference_server.web.errors import TooManyRequestsError

MINUTE_SECONDS: Final = 60


class RateLimit:
    """Counts the requests of each caller in a window of a minute; `per_minute` 0 lets everything pass."""

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage()) if per_minute else None

    def take(self, caller: str) -> None:
        """Count one request.

        Raises:
            TooManyRequestsError: it is one too many; says when to come back.
        """
        if self._limit is None or self._limiter is None or self._limiter.hit(self._limit, caller):
            return
        opens = self._limiter.get_window_stats(self._limit, caller).reset_time - time.time()
        seconds = min(max(1, math.ceil(opens)), MINUTE_SECONDS)
        raise TooManyRequestsError(
            f"More than {self._limit.amount} requests a minute (REQUESTS_PER_MINUTE): "
            f"come back in {seconds} s",
            seconds,
        )
