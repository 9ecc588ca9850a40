"""Something that is looked up for pages while one of them asks for it, once for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

ResultT = TypeVar("ResultT")
WANTED_SECONDS: Final = 15.0


class Wanted(Generic[ResultT]):
    """Pages ask, the poller refreshes what is asked for."""

    def __init__(self, make: Callable[[], ResultT], seconds: float) -> None:
        """Look nothing up yet.

        Args:
            make: looks it up; may wait for the disk.
            seconds: how old it may be.
        """
        self._make = make
        self._seconds = seconds
        self._asked: float | None = None
        self._made: tuple[float, ResultT] | None = None

    def ask(self) -> ResultT | None:
        """Return what was found last; None until the next refresh when nobody asked lately."""
        self._asked = time.monotonic()
        return self._made[1] if self._made else None

    def outdate(self) -> None:
        """Have it looked up at the next refresh."""
        if self._made:
            self._made = float("-inf"), self._made[1]

    def refresh(self) -> None:
        """Look it up if somebody asks and it is too old; forget it if nobody does."""
        now = time.monotonic()
        if self._asked is None or now - self._asked > WANTED_SECONDS:
            self._asked = self._made = None
        elif self._made is None or now - self._made[0] >= self._seconds:
            self._made = now, self._make()
