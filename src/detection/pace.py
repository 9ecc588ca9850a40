"""How many flows a turn of the scoring thread may take."""

from __future__ import annotations

from typing import Final

TURN_SECONDS: Final = 0.005
"""How long a turn may keep the others waiting."""

FEWEST: Final = 256
"""Flows of any turn, and of every turn while captures and requests both wait."""

MOST: Final = 4096
_NEWEST_SHARE: Final = 0.2


class Pace:
    """Measures how many flows take TURN_SECONDS; not safe to use from several threads.

    Attributes:
        flows: that many, at least FEWEST and at most MOST.
    """

    def __init__(self) -> None:
        self.flows = FEWEST
        self._seconds_per_flow: float | None = None

    def took(self, flows: int, seconds: float) -> None:
        """Learn from a turn; one of few flows says nothing of what a flow costs."""
        if flows < FEWEST:
            return
        newest = seconds / flows
        known = newest if self._seconds_per_flow is None else self._seconds_per_flow
        self._seconds_per_flow = known + _NEWEST_SHARE * (newest - known)
        fitting = TURN_SECONDS / max(self._seconds_per_flow, 1e-9)
        self.flows = round(min(max(fitting, FEWEST), MOST))
