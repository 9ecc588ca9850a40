"""What is attacking what: live alerts, over time, and who is behind most of them."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from nicegui import ui
from nicegui.elements.html import Html
from pydantic import ValidationError
from starlette.requests import Request

from alerting.book.filters import LARGEST_PAGE, AlertQuery
from inference_server.dashboard import charts
from inference_server.dashboard.alert_dialog import AlertDialog
from inference_server.dashboard.alert_news import RECENT, Overview, rows
from inference_server.dashboard.components import AlertList, Chart
from inference_server.dashboard.layout import Page, html, page
from inference_server.dashboard.panels import packed, rendered
from inference_server.dashboard.snapshot import Snapshot

PATH: Final = "/"
SPANS: Final = {1: "1 h", 24: "24 h", 168: "7 d"}
FIRST_SPAN: Final = 24
SEVERITIES: Final = {"": "Any severity", "1": "High", "2": "Medium", "3": "Low"}
STATES: Final = {"": "Any state", "open": "Ongoing", "closed": "Over", "unseen": "Not acknowledged"}


def register() -> None:
    """Make NiceGUI serve the page."""
    ui.page(PATH)(alerts)


def alerts(request: Request, alert: str = "") -> None:
    """Build the page for one visitor; `alert` is opened at once."""
    with page(request, PATH, "Alerts") as built:
        details = AlertDialog(built)
        _Overviews(built)
        with ui.element("section").classes("card"):
            found = _FoundAlerts(built, details)
            found.build()
        if alert:
            ui.context.client.on_connect(lambda: details.open(alert))


class _Overviews:
    """Sums over a span of time that the visitor chooses."""

    def __init__(self, built: Page) -> None:
        self._news = built.poller.alerts
        self._hours = FIRST_SPAN
        self._shown: Overview | None = None
        self._buttons: dict[int, Any] = {}
        with ui.element("div").classes("over-view"):
            with ui.element("section").classes("card"):
                with ui.element("div").classes("card-head"):
                    self._title: Html = html("<h2>Alerts over time</h2>")
                    with ui.element("div").classes("segments").props("role=group aria-label=Span"):
                        for hours, name in SPANS.items():
                            chosen = built.button(name, partial(self._choose, hours))
                            chosen.classes(remove="button")
                            self._buttons[hours] = chosen
                self._chart = Chart(packed(charts.severity_bars(None)))
            self._top = html(rendered("top", overview=None)).classes("card tops-card")
        self._mark()
        self._news.overview(self._hours)
        built.each_look(lambda _: self._draw())

    def _choose(self, hours: int) -> None:
        self._hours = hours
        self._mark()
        self._draw()

    def _mark(self) -> None:
        for hours, button in self._buttons.items():
            button.props["aria-pressed"] = "true" if hours == self._hours else "false"

    def _draw(self) -> None:
        overview = self._news.overview(self._hours)
        if overview is None or overview is self._shown:
            return
        self._shown = overview
        self._title.set_content(rendered("alerts_title", total=overview.statistics["total"]))
        self._chart.show(overview.bars)
        self._top.set_content(rendered("top", overview=overview))


class _FoundAlerts:
    """The list, and what narrows it down."""

    def __init__(self, built: Page, details: AlertDialog) -> None:
        self._built = built
        self._details = details
        self._wanted: dict[str, str] = {"severity": "", "state": "", "text": ""}
        self._limit = RECENT
        self._read = -1

    def build(self) -> None:
        """Add the elements to the page."""
        with ui.element("div").classes("card-head"):
            html("<h2>Live alerts</h2>")
        with ui.element("form").classes("filters").props('role=search onsubmit="return false"'):
            self._select("severity", "Severity", SEVERITIES)
            self._select("state", "State", STATES)
            self._search()
        self._list = AlertList(self._details.open)
        self._more = self._built.button("Show older", self._older).classes("more")
        self._more.set_visibility(False)
        self._built.each_look(self._draw)

    def _select(self, name: str, label: str, choices: dict[str, str]) -> None:
        content = rendered("select", name=name, label=label, choices=choices)
        html(content).on(
            "change",
            lambda event: self._choose(name, str(event.args)),
            js_handler="(event) => emit(event.target.value)",
        )

    def _search(self) -> None:
        html(rendered("search")).classes("grow").on(
            "input",
            lambda event: self._choose("text", str(event.args)),
            js_handler="(event) => emit(event.target.value)",
            throttle=0.4,
            leading_events=False,
        )

    def _choose(self, name: str, value: str) -> None:
        self._wanted[name] = value
        self._limit = RECENT
        self._again()

    def _older(self) -> None:
        self._limit = min(self._limit + RECENT, LARGEST_PAGE)
        self._again()

    def _again(self) -> None:
        self._read = -1
        if self._built.poller.latest:
            self._draw(self._built.poller.latest)

    def _draw(self, _: Snapshot) -> None:
        news = self._built.poller.alerts
        if self._read == news.changes:
            return
        self._read = news.changes
        if not any(self._wanted.values()) and self._limit == RECENT:
            self._list.show(news.recent, "Attacks that are found appear here at once.")
            self._more.set_visibility(news.older)
            return
        self._built.background(self._find)

    async def _find(self) -> None:
        asked = dict(self._wanted), self._limit
        try:
            query = _query(self._wanted, self._limit)
        except ValidationError:
            return
        found = await self._built.off_loop(self._built.poller.service.alert_book.page, query)
        if asked == (self._wanted, self._limit):
            self._list.show(rows(found), "None fits what is asked for.")
            self._more.set_visibility(found.cursor is not None and self._limit < LARGEST_PAGE)


def _query(wanted: dict[str, str], limit: int) -> AlertQuery:
    asked: dict[str, Any] = {"limit": limit, "text": wanted["text"]}
    if wanted["severity"]:
        asked["severity"] = (int(wanted["severity"]),)
    if wanted["state"] == "unseen":
        asked["acknowledged"] = False
    elif wanted["state"]:
        asked["state"] = wanted["state"]
    return AlertQuery.model_validate(asked)
