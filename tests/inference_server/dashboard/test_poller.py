from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import orjson

from helpers.models import make_scorer
from helpers.status import WORKER, make_status
from helpers.told_book import Book
from inference_server.dashboard.history import Sample
from inference_server.dashboard.losses import SHED
from inference_server.dashboard.poller import Poller
from inference_server.dashboard.snapshot import Snapshot, Totals
from inference_server.service import Service


class Looked:
    """A service that counts how often it is looked at."""

    def __init__(self) -> None:
        self.looks = 0
        self.alert_book = Book()
        self.model_desk = SimpleNamespace(model=lambda: None)
        self.uploads = SimpleNamespace(list=list)
        self.settings = SimpleNamespace(capture_silence_seconds=300, capture_max_flows=1000)

    def status(self) -> Any:
        self.looks += 1
        return make_status(make_scorer())


def run(work: Callable[[Poller, Looked], Any]) -> None:
    async def running() -> None:
        service = Looked()
        poller = Poller(cast(Service, service))
        poller.start()
        try:
            await work(poller, service)
        finally:
            await poller.stop()

    asyncio.run(running())


class Shown:
    """What a page was shown."""

    def __init__(self) -> None:
        self.looks: asyncio.Queue[Snapshot] = asyncio.Queue()

    async def next(self) -> Snapshot:
        return await asyncio.wait_for(self.looks.get(), 30)


def test_all_pages_share_one_look() -> None:
    async def work(poller: Poller, service: Looked) -> None:
        pages = [Shown() for _ in range(50)]
        for page in pages:
            poller.watch(page.looks.put_nowait)
        for looked in (1, 2):
            shown = [await page.next() for page in pages]
            assert len({id(snapshot) for snapshot in shown}) == 1
            assert service.looks == looked

    run(work)


def test_a_page_that_is_gone_is_shown_nothing_and_one_that_fails_harms_no_other() -> None:
    async def work(poller: Poller, _: Looked) -> None:
        gone, seen = Shown(), Shown()

        def failing(_: Snapshot) -> None:
            raise RuntimeError("cannot be drawn")

        end = poller.watch(gone.looks.put_nowait)
        await gone.next()
        end()
        end()
        poller.watch(failing)
        poller.watch(seen.looks.put_nowait)
        first, second, third = await seen.next(), await seen.next(), await seen.next()
        assert first.time < second.time < third.time
        assert gone.looks.empty()
        assert poller.watchers == 2

    run(work)


def test_the_chart_of_the_traffic_is_made_once_a_sample() -> None:
    async def work(poller: Poller, _: Looked) -> None:
        await poller.look()
        first = poller.traffic()
        assert poller.traffic() is first
        poller.samples = deque([Sample(time, Totals(packets=100 * time)) for time in (1, 2)], maxlen=2)
        drawn = poller.traffic()
        assert orjson.loads(orjson.dumps(drawn))["series"][0]["data"] == [[2000, 100.0]]
        poller.samples.append(Sample(3, Totals(packets=500)))
        assert orjson.loads(orjson.dumps(poller.traffic()))["series"][0]["data"] == [[3000, 300.0]]

    run(work)


def test_what_was_lost_since_the_start_is_lost_lately_at_first() -> None:
    async def work(poller: Poller, _: Looked) -> None:
        snapshot = await poller.look()
        assert snapshot.lost[SHED] == snapshot.lost_lately[SHED] == WORKER.shed

    run(work)
