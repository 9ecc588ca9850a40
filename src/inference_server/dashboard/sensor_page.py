"""Is the sensor seeing everything: capture, losses, queues, the outbox."""

from __future__ import annotations

from nicegui import ui
from starlette.requests import Request

from inference_server.dashboard.components import Chart
from inference_server.dashboard.layout import Page, page

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
        built.panel("sensors")
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
        chart = Chart(built.poller.traffic())
    built.each_look(lambda _: chart.show(built.poller.traffic()))
