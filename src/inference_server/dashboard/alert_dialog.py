"""One alert in full: why, what it was about, and what the reader says of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import orjson
from nicegui import ui

from alerting.book.book import AlertDetail
from alerting.book.store import Verdict
from flows.labels import LABELS
from inference_server.dashboard import charts
from inference_server.dashboard.components import Chart
from inference_server.dashboard.layout import Page, html
from inference_server.dashboard.panels import packed, rendered
from inference_server.web.api_keys import Role
from inference_server.web.errors import RequestError

ATTACKS: Final = tuple(label.name for label in LABELS if label.code)
FEATURES_SHOWN: Final = 10


class AlertDialog:
    """Opens beside the list; Escape closes it."""

    def __init__(self, built: Page) -> None:
        self._built = built
        self._book = built.poller.service.alert_book
        self._dialog = ui.dialog().props(
            'position=right maximized transition-show=none transition-hide=none aria-label="Alert"'
        )

    def open(self, alert_id: str) -> None:
        """Show an alert."""
        self._built.background(lambda: self._show(alert_id))

    async def _show(self, alert_id: str) -> None:
        alert = await self._built.off_loop(self._book.get, alert_id)
        self._dialog.clear()
        with self._dialog, ui.element("article").classes("detail"):
            if alert is None:
                html('<div class="empty"><b>This alert is not kept any more</b></div>')
                self._built.button("Close", self._dialog.close)
            else:
                self._fill(alert)
        self._dialog.open()

    def _fill(self, alert: AlertDetail) -> None:
        with ui.element("header").classes("detail-head"):
            html(rendered("alert_head", alert=alert.summary))
            ui.element("span").classes("spring")
            close = self._built.button("Close", self._dialog.close, title="Escape closes, too")
            close.props("autofocus")
        html(rendered("alert_who", alert=alert.summary))
        self._why(alert.eve)
        self._judge(alert.summary)
        eve = orjson.dumps(alert.eve, option=orjson.OPT_INDENT_2).decode()
        facts = {
            "alert": alert.summary,
            "ml_ids": alert.eve["ml_ids"],
            "flow": alert.eve.get("flow", {}),
            "eve": eve,
            "evidence": alert.evidence is not None,
        }
        html(rendered("alert_facts", **facts)).classes("stack")

    def _why(self, eve: dict[str, Any]) -> None:
        explanation = eve["ml_ids"].get("explanation")
        with ui.element("section"):
            if not explanation:
                html(rendered("alert_unexplained"))
                return
            features = explanation["features"][:FEATURES_SHOWN]
            html(rendered("alert_why", explanation=explanation, features=features))
            rows = [(_named(each), each["contribution"]) for each in features]
            Chart(packed(charts.contributions(rows))).classes("why").props("aria-hidden=true")

    def _judge(self, alert: dict[str, Any]) -> None:
        with ui.element("section").classes("verdict-form"):
            said = html(rendered("alert_said", alert=alert))
            if self._built.caller.role < Role.PREDICT:
                html('<p class="muted small">Your key may read: saying what it was needs role predict.</p>')
                return
            fields = html(rendered("alert_form", alert=alert, classes=ATTACKS))
            given = {"label": "", "note": ""}
            fields.on(
                "change",
                lambda event: given.update({event.args[0]: event.args[1]}),
                js_handler="(event) => emit([event.target.name, event.target.value])",
            )

            async def judge(verdict: Verdict) -> None:
                label = given["label"] if verdict == "true_positive" else ""
                await say(
                    partial(self._book.label, alert["id"], verdict, label or None, given["note"] or None)
                )

            async def acknowledge() -> None:
                await say(partial(self._book.acknowledge, alert["id"]))

            async def say(change: Callable[[str | None], dict[str, Any] | None]) -> None:
                changed = await self._change(change)
                if changed:
                    said.set_content(rendered("alert_said", alert=changed))

            with ui.element("div").classes("actions"):
                self._built.button("True positive", partial(judge, "true_positive"))
                self._built.button("False positive", partial(judge, "false_positive"))
                self._built.button("Acknowledge", acknowledge, primary=True)

    async def _change(self, change: Callable[[str | None], dict[str, Any] | None]) -> dict[str, Any] | None:
        try:
            return await self._built.off_loop(change, self._built.caller.name)
        except (ValueError, OSError, RequestError) as error:
            ui.notify(str(error), type="negative")
            return None


def _named(feature: dict[str, Any]) -> str:
    value = feature["value"]
    if not isinstance(value, (int, float)):
        return str(feature["feature"])
    return (
        f"{feature['feature']} = {value:,.0f}"
        if abs(value) >= 1000
        else f"{feature['feature']} = {value:.3g}"
    )
