"""Captures that were sent: drop one, watch it being analysed, read its verdicts."""

from __future__ import annotations

from functools import partial
from typing import Final

from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inference_server.dashboard.capture_verdicts import AttackVerdicts
from inference_server.dashboard.components import CaptureDrop
from inference_server.dashboard.figures import size
from inference_server.dashboard.layout import Page, html, page
from inference_server.dashboard.panels import rendered
from inference_server.dashboard.transfers import CAPTURES
from inference_server.web.api_keys import Role
from inference_server.web.errors import NotFoundError

PATH: Final = "/captures"
MEGABYTE: Final = 1_000_000


def register() -> None:
    """Make NiceGUI serve the pages."""
    ui.page(PATH)(captures)
    ui.page(PATH + "/{upload_id}")(capture)


def captures(request: Request) -> None:
    """Build the page of all captures for one visitor."""
    with page(request, PATH, "Captures") as built:
        service = built.poller.service
        if built.caller.role >= Role.PREDICT:
            limit = size(service.settings.upload_max_mb * MEGABYTE)
            CaptureDrop(CAPTURES, limit, lambda upload_id: ui.navigate.to(f"{PATH}/{upload_id}"))
        built.panel("uploads")


def capture(request: Request, upload_id: str) -> Response | None:
    """Build the page of one capture for one visitor."""
    uploads = request.scope["dashboard"].service.uploads
    try:
        found = uploads.get(upload_id)
    except NotFoundError:
        return RedirectResponse(f"{request.scope['root_path']}{PATH}")
    with page(request, PATH, found.name) as built:
        _one(built, upload_id)
    return None


def _one(built: Page, upload_id: str) -> None:
    uploads = built.poller.service.uploads
    state, table = html().classes("stack"), html()
    if built.caller.role >= Role.ADMIN:
        with ui.element("div").classes("actions"):
            _delete_button(built, upload_id)
    verdicts = AttackVerdicts(partial(uploads.verdicts, upload_id))

    async def draw() -> None:
        try:
            upload = uploads.get(upload_id)
            await built.off_loop(verdicts.read_on)
        except NotFoundError:
            ui.navigate.to(PATH)
            return
        state.set_content(rendered("upload", upload=upload))
        table.set_content(rendered("verdicts", upload=upload, verdicts=verdicts))

    built.each_look_async(draw)


def _delete_button(built: Page, upload_id: str) -> None:
    async def delete() -> None:
        await built.off_loop(built.poller.service.uploads.delete, upload_id)
        ui.navigate.to(PATH)

    with ui.dialog() as sure, ui.element("div").classes("card ask"):
        html("<h2>Delete this capture?</h2><p>Its verdicts go with it.</p>")
        with ui.element("div").classes("actions"):
            built.button("Delete", delete, primary=True)
            built.button("Keep", sure.close)
    built.button("Delete", sure.open)
