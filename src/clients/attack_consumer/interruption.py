"""Ctrl-C and SIGTERM: waiting ends at once, messages that were received are handled first."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


class Interruption:
    """Whether the user wants the program to end."""

    def __init__(self) -> None:
        self.requested = False
        self._waiting = False

    @contextmanager
    def handling_signals(self) -> Iterator[None]:
        """Take signals, in the main thread; a second one ends everything at once."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._take) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def wait_for(self, function: Callable[[], ResultT]) -> ResultT | None:
        """Return what a function that waits returns, None as soon as the end is requested."""
        try:
            self._waiting = True
            return None if self.requested else function()
        except KeyboardInterrupt:
            self.requested = True
            return None
        finally:
            self._waiting = False

    def sleep(self, seconds: float) -> None:
        """Wait, unless the end is requested."""
        self.wait_for(lambda: time.sleep(seconds))

    def _take(self, *_: Any) -> None:
        again, self.requested = self.requested, True
        if again or self._waiting:
            raise KeyboardInterrupt
