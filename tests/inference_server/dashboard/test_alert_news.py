from __future__ import annotations

import asyncio
from typing import Any, cast

import orjson

from alerting.book.book import AlertBook
from helpers.told_book import Book
from inference_server.dashboard.alert_news import AlertNews


def listed(news: AlertNews) -> Any:
    return orjson.loads(orjson.dumps(news.recent))


def test_the_newest_alerts_are_read_again_only_after_a_change() -> None:
    async def work() -> None:
        book = Book()
        news = AlertNews(cast(AlertBook, book))
        following = asyncio.create_task(news.follow())
        news.begin()
        await asyncio.wait_for(book.subscribed.wait(), 30)
        news.refresh()
        news.refresh()
        assert (book.pages, news.changes, listed(news)) == (1, 1, [{"id": 1}])
        book.messages.put_nowait(None)
        async with asyncio.timeout(30):
            while news.changes < 2:
                news.refresh()
                await asyncio.sleep(0)
        assert listed(news) == [{"id": 2}]
        following.cancel()

    asyncio.run(work())


def test_nobody_subscribes_before_somebody_looks() -> None:
    async def work() -> None:
        book = Book()
        following = asyncio.create_task(AlertNews(cast(AlertBook, book)).follow())
        await asyncio.sleep(0)
        assert not book.subscribed.is_set()
        following.cancel()

    asyncio.run(work())


def test_a_span_is_summed_once_for_all_who_ask() -> None:
    book = Book()
    news = AlertNews(cast(AlertBook, book))
    assert news.overview(24) is None
    news.refresh()
    first = news.overview(24)
    news.refresh()
    assert first is not None
    assert news.overview(24) is first
    assert book.summed == [24.0]
