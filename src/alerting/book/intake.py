"""What waits in memory for the alert book: messages, up to a number, and what people said of alerts."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from alerting.alert import AlertRevision
from alerting.book.store import Change

CAPACITY: Final = 10_000
"""Messages that may wait, some 6 kB each: five seconds of a flood."""

GROUP: Final = 1000
"""Messages committed at once, at most."""

GROUP_SECONDS: Final = 0.1
"""How long messages wait for more of them."""

FULL: Final = "queue full"
STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class Asked:
    """A change that somebody waits for: answered with the alert's summary, None if there is no such alert."""

    change: Change
    answer: Future[dict[str, Any] | None] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction is to do."""

    alerts: list[AlertRevision]
    asked: list[Asked]


class Intake:
    """Bounded and thread-safe; messages stay until they are committed. Nobody waits for room."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.capacity = capacity
        self.changed = threading.Condition()
        self.stopping = False
        self.offered = 0
        self.committed = 0
        self.lost: Counter[str] = Counter()
        self._alerts: deque[AlertRevision] = deque()
        self._asked: list[Asked] = []
        self._committed_at = float("-inf")
        self._abandoned = False

    def put(self, alerts: Sequence[AlertRevision]) -> None:
        """Take messages over, and count as lost what has no room."""
        with self.changed:
            room = 0 if self.stopping else self.capacity - len(self._alerts)
            self.offered += len(alerts)
            self._alerts.extend(alerts[:room])
            if len(alerts) > room:
                self.lost[STOPPED if self.stopping else FULL] += len(alerts) - room
            self.changed.notify_all()

    def ask(self, change: Change) -> Future[dict[str, Any] | None]:
        """Ask for a change; cancelled when the book stops or cannot be written."""
        asked = Asked(change)
        with self.changed:
            if self.stopping:
                asked.answer.cancel()
            else:
                self._asked.append(asked)
                self.changed.notify_all()
        return asked.answer

    def wait(self, seconds: float) -> None:
        """Wait until there is work, or the end has come; messages alone may wait for more of them."""
        with self.changed:
            self.changed.wait_for(lambda: self.stopping or self._asked or self._alerts, seconds)
            pause = self._committed_at + GROUP_SECONDS - time.monotonic()
            if self._alerts and pause > 0:
                self.changed.wait_for(lambda: self.stopping or self._asked, pause)

    def rest(self, seconds: float) -> None:
        """Wait in spite of work, unless the end comes."""
        with self.changed:
            before = self.stopping
            self.changed.wait_for(lambda: self.stopping != before, seconds)

    def work(self) -> Work:
        """Return the next transaction's work; its messages stay here until it is `done`."""
        with self.changed:
            asked, self._asked = self._asked, []
            return Work(list(itertools.islice(self._alerts, GROUP)), asked)

    def done(self, work: Work) -> None:
        """Drop what was committed."""
        with self.changed:
            if self._abandoned:
                return
            for _ in work.alerts:
                self._alerts.popleft()
            self.committed += len(work.alerts)
            self._committed_at = time.monotonic()

    def stop(self) -> None:
        """Take nothing more; what waits can still be committed."""
        with self.changed:
            self.stopping = True
            self.changed.notify_all()

    def empty(self) -> bool:
        """Return whether nothing waits."""
        with self.changed:
            return not (self._alerts or self._asked)

    def waiting(self) -> int:
        """Return how many messages wait."""
        with self.changed:
            return len(self._alerts)

    def abandon(self) -> int:
        """Count what waits as lost, for the end, and return how many messages that are."""
        with self.changed:
            left = len(self._alerts)
            self.lost[STOPPED] += left
            self._alerts.clear()
            for asked in self._asked:
                asked.answer.cancel()
            self._asked = []
            self._abandoned = True
            return left
