"""The shared update: one look a second at the service, for however many pages are open."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from orjson import Fragment

from inference_server.dashboard import charts
from inference_server.dashboard.alert_news import AlertNews
from inference_server.dashboard.history import Sample
from inference_server.dashboard.losses import growth, losses
from inference_server.dashboard.panels import packed
from inference_server.dashboard.snapshot import Snapshot, rates_between, totals_of
from inference_server.dashboard.wanted import Wanted
from inference_server.service import Service
from inference_server.telemetry.health import health_body

WATCHED_SECONDS: Final = 1.0
UNWATCHED_SECONDS: Final = 10.0
"""Nobody looks, but the charts shall not begin when somebody does."""
SAMPLE_SECONDS: Final = 10.0
DENSE: Final = 60
"""So many samples at the start are made every second: a chart of one point says nothing."""
SAMPLES: Final = 24 * 360
MODEL_SECONDS: Final = 5.0
LATELY_SECONDS: Final = 600.0
logger = logging.getLogger(__name__)


class Poller:
    """Looks at the service and shows each look to every watcher.

    Attributes:
        latest: the last look, None before the first.
        samples: the counters of the last 24 hours, one every 10 seconds.
        alerts: what happened in the alert book.
        model: all that is known of the model that serves.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self.latest: Snapshot | None = None
        self.samples: deque[Sample] = deque(maxlen=SAMPLES)
        self.alerts = AlertNews(service.alert_book)
        self.model = Wanted(service.model_desk.model, MODEL_SECONDS)
        self._traffic: tuple[Sample | None, Fragment] = (None, packed(charts.traffic(())))
        self._watchers: list[Callable[[Snapshot], None]] = []
        self._lost: deque[tuple[float, dict[str, int]]] = deque([(time.time(), {})])
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to look; from the event loop that serves the pages."""
        work = {"dashboard-poller": self._run(), "dashboard-alerts": self.alerts.follow()}
        self._tasks = [asyncio.create_task(run, name=name) for name, run in work.items()]

    async def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def watch(self, show: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Call `show` with each look from now on; returns what ends that."""
        self._watchers.append(show)
        self.alerts.begin()
        self._wake.set()
        return lambda: self._watchers.remove(show) if show in self._watchers else None

    @property
    def watchers(self) -> int:
        """How many pages are open."""
        return len(self._watchers)

    def traffic(self) -> Fragment:
        """Return the options of the chart of the samples, made once for all pages."""
        latest = self.samples[-1] if self.samples else None
        if self._traffic[0] is not latest:
            self._traffic = (latest, packed(charts.traffic(tuple(self.samples))))
        return self._traffic[1]

    async def look(self) -> Snapshot:
        """Return one look, made off the event loop."""
        return await asyncio.to_thread(self._look)

    async def _run(self) -> None:
        while True:
            due = time.monotonic() + (WATCHED_SECONDS if self._watchers else UNWATCHED_SECONDS)
            try:
                self.latest = await self.look()
                self._show(self.latest)
            except Exception:
                logger.exception("the dashboard could not look at the service")
            self._wake.clear()
            await self._pause(max(due - time.monotonic(), 0.05))

    async def _pause(self, seconds: float) -> None:
        if self._watchers:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    def _show(self, snapshot: Snapshot) -> None:
        for show in tuple(self._watchers):
            try:
                show(snapshot)
            except Exception:
                logger.exception("a page of the dashboard could not be drawn")

    def _look(self) -> Snapshot:
        now = time.time()
        status = self.service.status()
        totals, lost = totals_of(status), losses(status)
        before = self.latest
        apart = SAMPLE_SECONDS if len(self.samples) >= DENSE else WATCHED_SECONDS
        if not self.samples or now - self.samples[-1].time >= apart - 0.5:
            self.samples.append(Sample(now, totals))
        if self._watchers:
            self.alerts.refresh()
            self.model.refresh()
        return Snapshot(
            time=now,
            status=status,
            health=health_body(status, self.service.settings.capture_silence_seconds),
            totals=totals,
            rates=rates_between(before.totals, totals, max(now - before.time, 0.1)) if before else {},
            lost=lost,
            lost_lately=self._lately(now, lost),
            uploads=self.service.uploads.list(),
            max_flows=self.service.settings.capture_max_flows,
        )

    def _lately(self, now: float, lost: dict[str, int]) -> dict[str, int]:
        self._lost.append((now, lost))
        while len(self._lost) > 1 and self._lost[1][0] <= now - LATELY_SECONDS:
            self._lost.popleft()
        return growth(self._lost[0][1], lost)
