"""A budget of so many a second: what costs more than it may is left out and counted by its owner."""

from __future__ import annotations

from collections.abc import Callable


class Budget:
    """Grants at most `burst` at once and `per_second` in the long run. Not thread-safe."""

    def __init__(self, per_second: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._monotonic = monotonic
        self._left = self._burst
        self._at = monotonic()

    def take(self) -> bool:
        """Return whether one more is within the budget, and spend it then."""
        now = self._monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
