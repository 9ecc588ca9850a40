"""Live alerts: what changed in the book, told to every subscriber without any of them being waited for."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import orjson

from alerting.book.filters import AlertFilter
from alerting.book.status import LiveStatus

MAX_SUBSCRIBERS: Final = 500
TELL_SECONDS: Final = 0.25
"""Between two messages to a subscriber, at least."""

MESSAGES_PER_SECOND: Final = 250.0
"""How many messages are handed out a second: more subscribers are told less often. One costs some 0.1 ms."""

BUSY_SHARE: Final = 10
"""The thread rests this many times as long as it took to read what changed."""

MESSAGES_WAITING: Final = 40
"""How many messages a subscriber may leave waiting."""

ALERTS_PER_SECOND: Final = 20_000
"""How many alerts are handed out a second, to all subscribers together; more are left out, and counted."""

FEWEST: Final = 10
MOST: Final = 500
"""Alerts of a message, at least and at most."""

REPLAYED: Final = 1000
"""Alerts of the first message of a subscriber that names the last change it knows."""

SLOW: Final = "too slow: messages were waiting; subscribe again after the last seq you know"

Changed = Callable[[AlertFilter, int, int], tuple[list[dict[str, Any]], int]]
"""Reads at most so many of the latest alerts that changed after a number, and how many more did."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LiveMessage:
    """What a subscriber is told.

    Attributes:
        type: alerts, or dropped: the last message, to one that was too slow.
        last: the number of the latest change that is told of.
        alerts: summaries, in the order of their last change.
        skipped: how many other alerts changed, before these, and are left out.
        reason: why the subscriber is dropped.
    """

    type: Literal["alerts", "dropped"]
    last: int
    alerts: Sequence[dict[str, Any]] = ()
    skipped: int = 0
    reason: str | None = None

    @cached_property
    def encoded(self) -> str:
        """The message as JSON, made once for all who get it."""
        fields: dict[str, Any] = {"type": self.type, "last": self.last}
        if self.type == "alerts":
            fields |= {"alerts": self.alerts, "skipped": self.skipped}
        else:
            fields |= {"reason": self.reason}
        return orjson.dumps(fields).decode()


class Subscription:
    """What one subscriber still has to read: `async for message in subscription`, or `next`.

    It ends after a message of type `dropped`, or when it is closed. The event loop in which it was made is
    the one that reads it.
    """

    def __init__(self, wanted: AlertFilter, after: int, end: Callable[[Subscription], None]) -> None:
        self.wanted = wanted
        self.after = after
        self.fresh = True
        self.loop = asyncio.get_running_loop()
        self._waiting: deque[LiveMessage] = deque()
        self._lock = threading.Lock()
        self._event = asyncio.Event()
        self._over = False
        self._end = end

    async def next(self) -> LiveMessage | None:
        """Wait for the next message; None at the end."""
        while True:
            self._event.clear()
            with self._lock:
                if self._waiting:
                    return self._waiting.popleft()
                if self._over:
                    return None
            await self._event.wait()

    def close(self) -> None:
        """Want no more."""
        self._finish()
        self._end(self)

    def __aiter__(self) -> AsyncIterator[LiveMessage]:
        return self

    async def __anext__(self) -> LiveMessage:
        found = await self.next()
        if found is None:
            raise StopAsyncIteration
        return found

    def offer(self, message: LiveMessage) -> bool:
        """Take a message over; returns False, and ends, when too many wait. The feed's thread calls."""
        with self._lock:
            if self._over:
                return True
            self.after = message.last
            if len(self._waiting) < MESSAGES_WAITING:
                self._waiting.append(message)
                return True
            self._over = True
            first = self._waiting[0]
            self._waiting = deque([LiveMessage("dropped", first.last, reason=SLOW)])
            return False

    def wake(self) -> None:
        """Let the reader look; its loop calls."""
        self._event.set()

    def _finish(self) -> None:
        with self._lock:
            self._over = True
            self._waiting.clear()
        self._event.set()


class Feed:
    """Reads what changed, once for all subscribers that want the same, and hands it out."""

    def __init__(self, changed: Changed, last: Callable[[], int]) -> None:
        """Prepare the thread; `start` begins.

        Args:
            changed: reads the book.
            last: returns the number of its latest change.
        """
        self._read = changed
        self._last = last
        self._subscriptions: set[Subscription] = set()
        self._news = False
        self._readable = False
        self._stopping = False
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="alert-feed", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """End every subscription, and the thread."""
        with self._changed:
            self._stopping = True
            ended = list(self._subscriptions)
            self._changed.notify_all()
        _in_loops(ended, Subscription.close)
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def subscribe(self, wanted: AlertFilter, after: int | None) -> Subscription:
        """Return a subscription of the running loop to alerts that change after a number, None: from now on.

        Raises:
            OverflowError: there are too many subscribers.
        """
        subscription = Subscription(wanted, -1 if after is None else after, self._ended)
        with self._changed:
            if len(self._subscriptions) >= MAX_SUBSCRIBERS or self._stopping:
                self._counts["refused"] += 1
                raise OverflowError(
                    f"{len(self._subscriptions)} others are subscribed already; try again later"
                )
            self._counts["subscribed"] += 1
            self._subscriptions.add(subscription)
            self._news = True
            self._changed.notify_all()
        return subscription

    def look(self) -> None:
        """Have the thread look at the book, which changed; before the first time it cannot be read yet."""
        with self._changed:
            self._news = self._readable = True
            if self._subscriptions:
                self._changed.notify_all()

    def status(self) -> LiveStatus:
        """Return the counters."""
        with self._changed:
            return LiveStatus(
                running=self._thread.is_alive(),
                subscribers=len(self._subscriptions),
                capacity=MAX_SUBSCRIBERS,
                subscribed=self._counts["subscribed"],
                refused=self._counts["refused"],
                dropped=self._counts["dropped"],
                batches=self._counts["batches"],
                skipped=self._counts["skipped"],
                failures=self._counts["failures"],
            )

    def _ended(self, subscription: Subscription) -> None:
        with self._changed:
            self._subscriptions.discard(subscription)

    def _run(self) -> None:
        while subscriptions := self._next():
            began = time.monotonic()
            try:
                self._tell(subscriptions)
            except Exception:
                self._counts["failures"] += 1
                self._news = True
                logger.exception("live alerts were not told; it is tried again")
            took = time.monotonic() - began
            with self._changed:
                told = len(self._subscriptions) / MESSAGES_PER_SECOND
                self._changed.wait_for(lambda: self._stopping, max(TELL_SECONDS, told, BUSY_SHARE * took))

    def _next(self) -> list[Subscription]:
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopping or (self._news and self._readable and self._subscriptions)
            )
            self._news = False
            return [] if self._stopping else list(self._subscriptions)

    def _tell(self, subscriptions: list[Subscription]) -> None:
        groups: dict[tuple[AlertFilter, int], list[Subscription]] = defaultdict(list)
        last = self._last()
        for each in subscriptions:
            if each.after < 0:
                each.after = last
            groups[each.wanted, each.after].append(each)
        share = int(ALERTS_PER_SECOND * max(TELL_SECONDS / len(subscriptions), 1 / MESSAGES_PER_SECOND))
        limit = max(FEWEST, min(MOST, share))
        for (wanted, after), group in groups.items():
            if after != last or any(each.fresh for each in group):
                self._tell_group(wanted, after, last, group, limit)

    def _tell_group(
        self, wanted: AlertFilter, after: int, last: int, group: list[Subscription], limit: int
    ) -> None:
        fresh = any(each.fresh for each in group)
        alerts, skipped = self._read(wanted, after, REPLAYED if fresh else limit)
        last = max(last, alerts[-1]["seq"] if alerts else 0)
        told = []
        for each in group:
            if alerts or each.fresh:
                told.append(each)
            else:
                each.after = last
            each.fresh = False
        if not told:
            return
        message = LiveMessage("alerts", last, alerts, skipped)
        _ = message.encoded
        slow = [each for each in told if not each.offer(message)]
        with self._changed:
            self._subscriptions.difference_update(slow)
            self._counts["dropped"] += len(slow)
            self._counts["batches"] += len(told) - len(slow)
            self._counts["skipped"] += skipped * (len(told) - len(slow))
        _in_loops(told, Subscription.wake)


def _in_loops(subscriptions: Iterable[Subscription], call: Callable[[Subscription], None]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Subscription]] = defaultdict(list)
    for each in subscriptions:
        by_loop[each.loop].append(each)
    for loop, some in by_loop.items():
        try:
            loop.call_soon_threadsafe(_call_all, call, some)
        except RuntimeError:  # the loop is closed
            continue


def _call_all(call: Callable[[Subscription], None], subscriptions: list[Subscription]) -> None:
    for each in subscriptions:
        call(each)
