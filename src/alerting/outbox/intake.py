"""What waits in memory to be committed: messages, up to a size, and what became of deliveries."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from alerting.outbox.store import Due, Kept, Settlement

CAPACITY_BYTES: Final = 64_000_000
PATIENCE_SECONDS: Final = 2.0
"""How long the sink waits for room while commits succeed; verdicts queue up before it meanwhile."""

GROUP: Final = 1000
"""Messages committed at once, at most."""

SETTLE_SECONDS: Final = 0.1
"""How long settlements wait for more of them; what a kill forgets of them is delivered twice."""

FULL: Final = "memory full"
STOPPED: Final = "stopped"


@dataclass(frozen=True, slots=True)
class Page:
    """Messages a transport is to deliver now, and the running time to wait for when there are none."""

    messages: list[Due]
    next_us: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A transport's wish for a page."""

    transport: str
    limit: int
    answer: Future[Page] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Work:
    """What one transaction is to do, and who waits for it."""

    messages: list[Kept]
    settled: list[tuple[str, Sequence[Settlement]]]
    asked: list[Asked]


class Intake:
    """Bounded and thread-safe; nothing leaves before it is committed."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self.capacity_bytes = capacity_bytes
        self.changed = threading.Condition()
        self.stopping = False
        self.failing = False
        self.offered = 0
        self.committed = 0
        self.lost: Counter[str] = Counter()
        self._messages: deque[Kept] = deque()
        self._bytes = 0
        self._settled: deque[tuple[str, Sequence[Settlement]]] = deque()
        self._asked: list[Asked] = []
        self._abandoned = False

    def put(self, messages: Sequence[Kept], patience: float = PATIENCE_SECONDS) -> None:
        """Take messages over; waits for room while commits succeed, and counts as lost what has none."""
        deadline = time.monotonic() + patience
        with self.changed:
            for message in messages:
                size = len(message.body)
                if not self._need_not_wait(size):
                    self.changed.notify_all()
                    left = deadline - time.monotonic()
                    self.changed.wait_for(partial(self._need_not_wait, size), max(0.0, left))
                self.offered += 1
                if self.stopping or not self._has_room(size):
                    self.lost[STOPPED if self.stopping else FULL] += 1
                else:
                    self._messages.append(message)
                    self._bytes += size
            self.changed.notify_all()

    def settle(self, transport: str, settlements: Sequence[Settlement]) -> None:
        """Take over what became of deliveries."""
        with self.changed:
            self._settled.append((transport, settlements))
            self.changed.notify_all()

    def ask(self, transport: str, limit: int) -> Future[Page]:
        """Ask for messages to deliver; answered once all that this transport settled is committed.

        Cancelled when the outbox stops.
        """
        asked = Asked(transport, limit)
        with self.changed:
            if self.stopping:
                asked.answer.cancel()
            else:
                self._asked.append(asked)
                self.changed.notify_all()
        return asked.answer

    def wait(self, seconds: float) -> None:
        """Wait until there is work, or the end has come; settlements alone may wait for more of them."""
        with self.changed:
            self.changed.wait_for(lambda: self.stopping or self._has_work(), seconds)
            self.changed.wait_for(
                lambda: self.stopping or self._messages or self._asked or not self._settled, SETTLE_SECONDS
            )

    def rest(self, seconds: float) -> None:
        """Wait in spite of work, unless the end comes."""
        with self.changed:
            before = self.stopping
            self.changed.wait_for(lambda: self.stopping != before, seconds)

    def work(self) -> Work:
        """Return the next transaction's work, which stays here until it is `done`."""
        with self.changed:
            return Work(list(itertools.islice(self._messages, GROUP)), list(self._settled), list(self._asked))

    def done(self, work: Work) -> None:
        """Drop what was committed."""
        with self.changed:
            if self._abandoned:
                return
            for _ in work.messages:
                self._bytes -= len(self._messages.popleft().body)
            for _ in work.settled:
                self._settled.popleft()
            self._asked = self._asked[len(work.asked) :]
            self.committed += len(work.messages)
            self.failing = False
            self.changed.notify_all()

    def failed(self) -> None:
        """Say that nothing can be committed at present."""
        with self.changed:
            self.failing = True
            self.changed.notify_all()

    def stop(self) -> None:
        """Take nothing more; transports get no more pages, what waits can still be committed."""
        with self.changed:
            self.stopping = True
            for asked in self._asked:
                asked.answer.cancel()
            self._asked = []
            self.changed.notify_all()

    def empty(self) -> bool:
        """Return whether nothing waits."""
        with self.changed:
            return not self._has_work()

    def abandon(self) -> int:
        """Count what waits as lost, for the end, and return how many messages that are."""
        with self.changed:
            left = len(self._messages)
            self.lost[STOPPED] += left
            self._messages.clear()
            self._settled.clear()
            self._bytes = 0
            self._abandoned = True
            return left

    def waiting(self) -> tuple[int, int]:
        """Return how many messages wait, and their bytes."""
        with self.changed:
            return len(self._messages), self._bytes

    def _has_work(self) -> bool:
        return bool(self._messages or self._settled or self._asked)

    def _need_not_wait(self, size: int) -> bool:
        return self._has_room(size) or self.failing or self.stopping

    def _has_room(self, size: int) -> bool:
        return not self._messages or self._bytes + size <= self.capacity_bytes
