"""What every page has: the header with the sensor's state, the alarm below it, and where to go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import Final, ParamSpec, TypeVar

from nicegui import background_tasks, ui
from nicegui.elements.html import Html
from nicegui.elements.mixins.text_element import TextElement
from starlette.requests import Request

from inference_server.dashboard.access import Caller
from inference_server.dashboard.panels import panel, rendered
from inference_server.dashboard.pill import Pill, pill_of
from inference_server.dashboard.poller import Poller
from inference_server.dashboard.snapshot import Snapshot

P = ParamSpec("P")
ResultT = TypeVar("ResultT")
PAGES: Final = {"/": "Alerts", "/sensor": "Sensor", "/model": "Model", "/captures": "Captures"}
THEME_COOKIE: Final = "mlids_theme"


class Page:
    """One open page of one visitor.

    Attributes:
        caller: who looks.
        poller: what is shown.
    """

    def __init__(self, request: Request) -> None:
        self.caller: Caller = request.scope["caller"]
        self.poller: Poller = request.scope["dashboard"]
        self._client = ui.context.client
        self._drawers: list[Callable[[Snapshot], object]] = []

    def each_look(self, draw: Callable[[Snapshot], object]) -> None:
        """Call `draw` with each look at the service while the page is open."""
        self._drawers.append(draw)
        if self.poller.latest:
            draw(self.poller.latest)

    def each_look_async(self, draw: Callable[[], Awaitable[None]]) -> None:
        """Have `draw` run with each look, unless it still runs from the one before."""
        running: list[asyncio.Task[None]] = []

        def begin(_: Snapshot) -> None:
            if not running or running[-1].done():
                running[:] = [self.background(draw)]

        self.each_look(begin)

    def background(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Do what waits, in the name of this page."""

        async def run() -> None:
            with self._client:
                await work()

        return background_tasks.create(run(), name="dashboard-page")

    async def off_loop(self, function: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        """Return what a handler that waits for the disk returns.

        Raises:
            BusyError: too many wait already; besides what the handler raises.
        """
        return await self.poller.service.off_loop.run(function, *args, **kwargs)

    def panel(self, template: str) -> Html:
        """Show a part of the page that is made once for everyone."""
        shown = html()
        self.each_look(lambda snapshot: shown.set_content(panel(template, snapshot)))
        return shown

    def button(
        self, text: str, pressed: Callable[[], object], *, primary: bool = False, **props: str
    ) -> TextElement:
        """Show a button."""
        made = TextElement(tag="button", text=text).classes("primary" if primary else "button")
        made.props("type=button").on("click", pressed)
        for name, value in props.items():
            made.props[name.replace("_", "-")] = value
        return made

    def watch(self) -> None:
        """Follow the service from when the browser connects until the page is gone."""
        client = self._client
        ended: list[Callable[[], None]] = []

        def connected() -> None:
            if not ended:
                ended.append(self.poller.watch(self._draw))

        client.on_connect(connected)
        client.on_delete(lambda: [end() for end in ended])

    def _draw(self, snapshot: Snapshot) -> None:
        for draw in self._drawers:
            draw(snapshot)


def html(content: str = "") -> Html:
    """Show HTML that this package made: what came from outside is escaped in it."""
    return ui.html(content, sanitize=False)


@contextmanager
def page(request: Request, path: str, title: str) -> Iterator[Page]:
    """Build a page around what the block adds to it."""
    built = Page(request)
    theme = request.cookies.get(THEME_COOKIE, "auto")
    ui.add_head_html(rendered("head", theme=theme, root=request.scope["root_path"]))
    ui.dark_mode({"dark": True, "light": False}.get(theme))
    ui.page_title(f"{title} · ML-IDS")
    _header(built, path)
    with ui.element("div").classes("main"):
        html(f'<div class="head"><h1>{escape(title)}</h1></div>')
        yield built
    built.watch()


def _header(built: Page, path: str) -> None:
    sensor = built.poller.service.settings.sensor_id

    def header(pill: Pill) -> str:
        return rendered(
            "header",
            pages=PAGES,
            path=path,
            sensor=sensor,
            caller=built.caller,
            pill=pill,
        )

    shown = html().classes("top")
    shown.props("role=banner")
    alarm = html().classes("alarm").props('role=alert aria-live="assertive"')

    told: list[Pill] = []

    def draw(snapshot: Snapshot) -> None:
        pill = pill_of(snapshot)
        if told == [pill]:
            return
        told[:] = [pill]
        shown.set_content(header(pill))
        alarm.set_content(f"<p>{escape(pill.text)}: {escape(pill.why)}</p>" if pill.tone == "bad" else "")

    built.each_look(draw)
