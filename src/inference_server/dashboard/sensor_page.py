"""Is the sensor seeing everything: capture, losses, queues, the outbox."""

from __future__ import annotations

from nicegui import ui
from starlette.requests import Request

from inference_server.dashboard import charts
from inference_server.dashboard.history import series
from inference_server.dashboard.layout import Page, page
from inference_server.dashboard.poller import Poller
from inference_server.dashboard.snapshot import Snapshot

PATH = "/sensor"


def register() -> None:
    """Make NiceGUI serve the page."""
    ui.page(PATH)(sensor)


def sensor(request: Request) -> None:
    """Build the page for one visitor."""
    with page(request, PATH, "Sensor") as built:
        built.panel("sensor_stats")
        built.panel("reasons")
        _traffic(built)
        with ui.element("div").classes("grid-2"):
            with ui.element("div").classes("stack"):
                built.panel("interfaces")
                built.panel("queues")
            with ui.element("div").classes("stack"):
                built.panel("losses")
                built.panel("transports")
                built.panel("stores")


def _traffic(built: Page) -> None:
    with ui.element("section").classes("card"):
        ui.html(
            '<div class="card-head"><h2>Traffic</h2><span class="muted small">up to 24 hours</span></div>'
        )
        chart = ui.echart(_options(built.poller), renderer="svg").classes("chart")
    shown = len(built.poller.samples)

    def draw(_: Snapshot) -> None:
        nonlocal shown
        if len(built.poller.samples) != shown:
            shown = len(built.poller.samples)
            chart.options.update(_options(built.poller))
            chart.update()

    built.each_look(draw)


def _options(poller: Poller) -> dict[str, object]:
    samples = tuple(poller.samples)
    return charts.over_time(
        [
            ("packets / s", charts.BLUE, series(samples, "packets")),
            ("dropped / s", charts.RED, series(samples, "drops")),
            ("flows judged / s", charts.AMBER, series(samples, "flows")),
        ]
    )
