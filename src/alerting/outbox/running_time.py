"""The outbox's time: how long it has been running, over all of its starts.

Neither a clock that is set nor days switched off make a message old, or its next attempt late.
"""

from __future__ import annotations

from collections.abc import Callable


class RunningTime:
    """Microseconds of running time, going on from what earlier starts reached."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._from = (0, monotonic())

    def go_on_from(self, us: int) -> None:
        """Take over what earlier starts reached."""
        self._from = (us, self._monotonic())

    def now_us(self) -> int:
        """Return the running time."""
        us, began = self._from
        return us + int((self._monotonic() - began) * 1e6)
