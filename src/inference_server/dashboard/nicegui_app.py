"""NiceGUI, set up once a process: its state is global, so one dashboard can run in a process at a time."""

from __future__ import annotations

from functools import cache

from fastapi import FastAPI
from nicegui import ui

from inference_server.dashboard import alerts_page, captures_page, model_page, sensor_page

TITLE = "ML-IDS"
RECONNECT_SECONDS = 10.0
"""How long a page that lost its connection may come back to what it showed."""


@cache
def pages_app() -> FastAPI:
    """Return the application that serves the pages; its lifespan is to be entered."""
    for page in (alerts_page, captures_page, model_page, sensor_page):
        page.register()
    app = FastAPI(openapi_url=None)
    ui.run_with(
        app,
        title=TITLE,
        dark=None,
        tailwind=False,
        gzip_middleware_factory=None,
        show_welcome_message=False,
        reconnect_timeout=RECONNECT_SECONDS,
        language="en-US",
        binding_refresh_interval=None,
    )
    return app
