from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from alerting.book import feed as module
from alerting.book.feed import Feed
from alerting.book.filters import AlertFilter
from helpers.server import wait_until

EVERYTHING = AlertFilter()
HIGH = AlertFilter(severity=(1,))


class Changes:
    """A book of changes that a test adds; notes who asked for what."""

    def __init__(self) -> None:
        self.changes: list[dict[str, Any]] = []
        self.asked: list[tuple[AlertFilter, int, int]] = []
        self.failing = False

    def add(self, feed: Feed, count: int = 1, severity: int = 3) -> None:
        first = self.last() + 1
        self.changes += [{"seq": seq, "severity": severity} for seq in range(first, first + count)]
        feed.look()

    def last(self) -> int:
        return len(self.changes)

    def read(self, wanted: AlertFilter, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        self.asked.append((wanted, after, limit))
        if self.failing:
            raise OSError("the disk is gone")
        found = [
            each
            for each in self.changes
            if each["seq"] > after and (not wanted.severity or each["severity"] in wanted.severity)
        ]
        return found[-limit:], max(0, len(found) - limit)


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def feed(changes: Changes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    monkeypatch.setattr(module, "TELL_SECONDS", 0.01)
    made = Feed(changes.read, changes.last)
    made.start()
    made.look()
    yield made
    made.stop(30)


def seqs(message: Any) -> list[int]:
    return [alert["seq"] for alert in message.alerts]


def test_each_is_told_what_it_wants_from_where_it_was(feed: Feed, changes: Changes) -> None:
    async def scene() -> None:
        changes.add(feed, 3)
        new, back, high = (
            feed.subscribe(*wish) for wish in ((EVERYTHING, None), (EVERYTHING, 1), (HIGH, None))
        )
        assert [seqs(await each.next()) for each in (new, back, high)] == [[], [2, 3], []]
        changes.add(feed, severity=1)
        assert [seqs(await each.next()) for each in (new, back, high)] == [[4]] * 3
        changes.add(feed)
        assert [seqs(await each.next()) for each in (new, back)] == [[5]] * 2
        changes.add(feed, severity=1)
        assert seqs(await high.next()) == [6]
        for each in (new, back, high):
            each.close()
        assert feed.status().subscribers == 0

    asyncio.run(scene())


def test_what_many_want_is_read_and_written_once(feed: Feed, changes: Changes) -> None:
    async def scene() -> None:
        many = [feed.subscribe(AlertFilter(), None) for _ in range(50)]
        for each in many:
            await each.next()
        changes.asked.clear()
        changes.add(feed)
        messages = [await each.next() for each in many]
        assert len(changes.asked) == 1
        assert len({id(message) for message in messages}) == 1
        message = messages[0]
        assert message is not None
        assert orjson.loads(message.encoded) == {
            "type": "alerts",
            "last": 1,
            "alerts": [{"seq": 1, "severity": 3}],
            "skipped": 0,
        }

    asyncio.run(scene())


def test_a_flood_is_told_by_its_latest_alerts_and_a_count(feed: Feed, changes: Changes) -> None:
    async def scene() -> None:
        subscription = feed.subscribe(EVERYTHING, None)
        await subscription.next()
        changes.add(feed, 5000)
        message = await subscription.next()
        assert message is not None
        assert seqs(message)[-1] == message.last == 5000
        assert len(message.alerts) + message.skipped == 5000
        assert message.skipped > 0
        assert feed.status().skipped == message.skipped

    asyncio.run(scene())


def test_a_slow_reader_gets_one_last_message_and_the_others_all(
    feed: Feed, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MESSAGES_WAITING", 3)

    async def scene() -> None:
        slow, quick = feed.subscribe(EVERYTHING, None), feed.subscribe(EVERYTHING, None)
        await quick.next()
        for seq in range(1, 10):
            changes.add(feed)
            assert seqs(await quick.next()) == [seq]
        status = feed.status()
        assert (status.dropped, status.subscribers) == (1, 1)
        told = [message async for message in slow]
        assert [(message.type, message.reason) for message in told] == [("dropped", module.SLOW)]
        # What it had not read yet comes again after that.
        assert told[0].last == 0

    asyncio.run(scene())


def test_who_comes_before_the_book_can_be_read_is_told_once_it_can(changes: Changes) -> None:
    async def scene() -> None:
        feed = Feed(changes.read, changes.last)
        feed.start()
        changes.failing = True
        subscription = feed.subscribe(EVERYTHING, None)
        changes.failing = False
        feed.look()
        assert seqs(await subscription.next()) == []
        assert feed.status().failures == 0
        await asyncio.to_thread(feed.stop, 30)

    asyncio.run(scene())


def test_the_feed_goes_on_after_a_failure(feed: Feed, changes: Changes) -> None:
    async def scene() -> None:
        subscription = feed.subscribe(EVERYTHING, None)
        await subscription.next()
        changes.failing = True
        changes.add(feed)
        await asyncio.to_thread(wait_until, lambda: feed.status().failures)
        changes.failing = False
        assert seqs(await subscription.next()) == [1]

    asyncio.run(scene())


def test_loops_of_several_threads_are_told(feed: Feed, changes: Changes) -> None:
    told: list[list[int]] = []

    async def scene() -> None:
        subscription = feed.subscribe(EVERYTHING, 0)
        told.append(seqs(await subscription.next()))
        subscription.close()

    changes.add(feed)
    threads = [threading.Thread(target=asyncio.run, args=[scene()]) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert told == [[1]] * 3


def test_the_end_ends_every_subscription(changes: Changes) -> None:
    async def scene() -> None:
        feed = Feed(changes.read, changes.last)
        feed.start()
        subscription = feed.subscribe(EVERYTHING, None)
        await asyncio.to_thread(feed.stop, 30)
        assert [message async for message in subscription] == []
        with pytest.raises(OverflowError):
            feed.subscribe(EVERYTHING, None)

    asyncio.run(scene())
