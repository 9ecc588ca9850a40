"""What happened in the alert book, read once for all pages that are open."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from orjson import Fragment

from alerting.book.book import AlertBook
from alerting.book.filters import AlertFilter, AlertQuery
from alerting.book.reader import AlertPage
from inference_server.dashboard.charts import severity_bars
from inference_server.dashboard.panels import packed
from inference_server.dashboard.wanted import Wanted

RECENT: Final = 50
SHOWN: Final = frozenset(
    (
        *("id", "seq", "time", "severity", "label", "src_ip", "dst_ip", "dst_port", "proto", "count"),
        *("p_attack_max", "state", "acknowledged", "feedback"),
    )
)
"""What a row of the list needs: the list is sent again whenever an alert changes."""
EVERY: Final = AlertFilter.model_validate({})
NEWEST: Final = AlertQuery.model_validate({"limit": RECENT})
BUCKETS: Final = 60
TOP: Final = 6
SUMMED_SECONDS: Final = 5.0
"""How old the sums over a span of time may be while somebody looks at them."""
RETRY_SECONDS: Final = 5.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Overview:
    """Alerts of a span of time, summed.

    Attributes:
        statistics: as `GET /api/statistics` answers.
        sources, targets: the addresses of most alerts.
        bars: the options of the chart of the alerts over time.
    """

    statistics: dict[str, Any]
    sources: list[dict[str, Any]]
    targets: list[dict[str, Any]]
    bars: Fragment


def rows(found: AlertPage) -> Fragment:
    """Return what the list shows of alerts."""
    return packed([{name: alert[name] for name in alert.keys() & SHOWN} for alert in found.alerts])


class AlertNews:
    """Follows the book with one subscription.

    Attributes:
        recent: the newest alerts, newest first.
        older: whether there are more than these.
        changes: how often that was.
    """

    def __init__(self, book: AlertBook) -> None:
        self._book = book
        self.recent = packed([])
        self.older = False
        self.changes = 0
        self._changed = True
        self._begun = asyncio.Event()
        self._overviews: dict[int, Wanted[Overview]] = {}

    async def follow(self) -> None:
        """Note what changes from `begin` on, until cancelled; after it was too slow, it subscribes again."""
        await self._begun.wait()
        while True:
            try:
                subscription = self._book.subscribe(EVERY, None)
                self._changed = True
                try:
                    async for _ in subscription:
                        self._changed = True
                finally:
                    subscription.close()
            except OverflowError:
                logger.warning("no room among the subscribers of live alerts: the dashboard's may be late")
                self._changed = True
                await asyncio.sleep(RETRY_SECONDS)

    def begin(self) -> None:
        """Follow from now on: somebody looks."""
        self._begun.set()

    def refresh(self) -> None:
        """Read what changed, and the sums that pages asked for; waits for the disk."""
        if self._changed:
            self._changed = False
            try:
                found = self._book.page(NEWEST)
            except Exception:
                self._changed = True
                raise
            self.recent, self.older = rows(found), found.cursor is not None
            self.changes += 1
        for overview in tuple(self._overviews.values()):
            overview.refresh()

    def overview(self, hours: int) -> Overview | None:
        """Return the sums over the last hours; None until the next refresh when nobody asked before."""
        if hours not in self._overviews:
            self._overviews[hours] = Wanted(partial(self._sum, hours), SUMMED_SECONDS)
        return self._overviews[hours].ask()

    def _sum(self, hours: int) -> Overview:
        until = datetime.now(UTC)
        since = until - timedelta(hours=hours)
        statistics = self._book.statistics(since, until, BUCKETS)
        return Overview(
            statistics,
            self._book.top("sources", since, TOP),
            self._book.top("targets", since, TOP),
            packed(severity_bars(statistics)),
        )
