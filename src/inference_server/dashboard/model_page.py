"""Is the model still right for this network: its card, figures, drift and versions, and which one serves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from nicegui import ui
from starlette.requests import Request

from inference_server.dashboard.layout import Page, html, page
from inference_server.dashboard.panels import rendered
from inference_server.dashboard.snapshot import Snapshot
from inference_server.web.api_keys import Role
from inference_server.web.errors import RequestError

PATH: Final = "/model"
PARTS: Final = ("model_stats", "drift", "judged", "challenger", "figures")
FEATURES_SHOWN: Final = 12
MLFLOW_UI: Final = "http://127.0.0.1:5000"


def register() -> None:
    """Make NiceGUI serve the page."""
    ui.page(PATH)(model)


def model(request: Request) -> None:
    """Build the page for one visitor."""
    with page(request, PATH, "Model") as built:
        _Model(built).build()


class _Model:
    """The page's parts, and what an admin may do."""

    def __init__(self, built: Page) -> None:
        self._built = built
        self._desk = built.poller.service.model_desk
        self._shown: dict[str, Any] | None = None
        self._listed: list[dict[str, Any]] | None = None

    def build(self) -> None:
        """Add the elements to the page."""
        stats = html(rendered("model_none"))
        with ui.element("div").classes("grid-2"):
            drift, judged = html().classes("stack"), html().classes("stack")
        with ui.element("section").classes("card"):
            self._versions = ui.element("div").classes("versions")
        challenger, figures = html(), html().classes("stack")
        with ui.element("details").classes("card"):
            html('<h2 class="inline">Model card</h2>').props("tag=summary")
            self._card = ui.markdown("", sanitize=True).classes("card-text")
        self._parts = dict(zip(PARTS, (stats, drift, judged, challenger, figures), strict=True))
        self._built.each_look(self._draw)
        self._built.background(self._list)

    def _draw(self, _: Snapshot) -> None:
        found = self._built.poller.model.ask()
        if found is None or found is self._shown:
            return
        changed = self._shown is None or self._shown["version"] != found["version"]
        self._shown = found
        for name, part in self._parts.items():
            part.set_content(rendered(name, model=found, shown=FEATURES_SHOWN))
        if changed:
            self._card.set_content(found["card"])
            self._built.background(self._list)

    async def _list(self) -> None:
        versions: list[dict[str, Any]] = []
        problem = ""
        try:
            versions = await self._built.poller.service.registry_calls.run(self._desk.versions)
        except (OSError, LookupError, ValueError, RequestError) as error:
            problem = str(error)
        if not problem and versions == self._listed:
            # A question that is open would be gone.
            return
        self._listed = versions
        self._versions.clear()
        with self._versions:
            self._list_head()
            html(rendered("versions_problem", problem=problem, versions=versions))
            for each in versions:
                with ui.element("div").classes("version"):
                    html(rendered("version", version=each))
                    self._actions(each)

    def _list_head(self) -> None:
        with ui.element("div").classes("card-head"):
            html("<h2>Versions</h2>")
            with ui.element("div").classes("actions"):
                html(rendered("mlflow_link", url=_registry_page(self._built)))
                if self._built.caller.role >= Role.ADMIN:
                    self._built.button("Look for changes", lambda: self._do(self._desk.reload))
                    self._ask(
                        "Roll back",
                        "Give @champion back to the version that served before?",
                        partial(self._desk.rollback, "champion"),
                    )

    def _actions(self, version: dict[str, Any]) -> None:
        if self._built.caller.role < Role.ADMIN:
            return
        number = version["version"]
        with ui.element("div").classes("actions"):
            if not version["challenger"] and not version["champion"]:
                self._ask(
                    "Make challenger",
                    f"Have version {number} score in shadow beside the model that serves?",
                    partial(self._desk.promote, number, "challenger"),
                )
            if not version["champion"]:
                self._ask(
                    "Promote",
                    f"Check version {number} and let it serve?",
                    partial(self._desk.promote, number, "champion"),
                )

    def _ask(self, text: str, question: str, act: Callable[[str | None], dict[str, Any]]) -> None:
        """Show a button that does something after a question."""
        with ui.dialog() as sure, ui.element("div").classes("card ask"):
            ui.label(question)

            async def confirmed() -> None:
                sure.close()
                await self._do(act)

            with ui.element("div").classes("actions"):
                self._built.button(text, confirmed, primary=True)
                self._built.button("Cancel", sure.close)
        self._built.button(text, sure.open)

    async def _do(self, act: Callable[[str | None], dict[str, Any]]) -> None:
        try:
            done = await self._built.poller.service.registry_calls.run(act, self._built.caller.name)
        except (OSError, LookupError, ValueError, RequestError) as error:
            ui.notify(str(error), type="negative", multi_line=True)
            return
        ui.notify("; ".join(done["problems"]) or f"Version {done['version']} serves")
        self._built.poller.model.outdate()
        await self._list()


def _registry_page(built: Page) -> str:
    """Return where MLflow shows the model, as far as it is known."""
    uri = built.poller.service.settings.tracking_uri
    return uri if uri.startswith(("http://", "https://")) else MLFLOW_UI
