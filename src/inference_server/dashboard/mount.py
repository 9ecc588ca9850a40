"""The application at /dashboard: who may pass, the log-in, and the pages, begun with the first visit."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from inference_server.dashboard.access import Access, Caller, from_this_site
from inference_server.dashboard.login_page import login_page
from inference_server.dashboard.poller import Poller
from inference_server.dashboard.secret_key import signing_key
from inference_server.dashboard.transfers import transfer
from inference_server.service import Service
from inference_server.web.auth import READING
from inference_server.web.responses import OrjsonResponse

PATH: Final = "/dashboard"
HERE: Final = Path(__file__).parent
STATIC: Final = {"style.css": "text/css", "favicon.svg": "image/svg+xml"}
WRONG_KEY_SECONDS: Final = 0.5
"""What an attempt with a wrong key takes at least."""
LONGEST_FORM: Final = 4096


class Dashboard:
    """The ASGI application; answers 404 while DASHBOARD is off."""

    def __init__(self) -> None:
        self._poller: Poller | None = None
        self._access: Access | None = None
        self._pages: ASGIApp | None = None
        self._running: AbstractAsyncContextManager[Any] | None = None
        self._starting = asyncio.Lock()

    async def start(self, service: Service) -> None:
        """Begin to look at the service."""
        if not service.settings.dashboard:
            return
        secret = await asyncio.to_thread(signing_key, service.settings.state_dir)
        self._access = Access(service.settings, service.keys, secret)
        self._poller = Poller(service)
        self._poller.start()

    async def stop(self) -> None:
        """End what was started."""
        if self._poller:
            await self._poller.stop()
        if self._running:
            await self._running.__aexit__(None, None, None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        answer = await self._answer(scope, receive)
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        if self._access is None or self._poller is None:
            return _refuse(scope, 404, "The dashboard is switched off (DASHBOARD=false)")
        connection = HTTPConnection(scope)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.startswith("/static/"):
            return _static(path.removeprefix("/static/"))
        changes = scope["type"] == "websocket" or scope["method"] not in READING
        if changes and not from_this_site(connection):
            return _refuse(scope, 403, "Pages of other sites may not ask for this")
        if path in ("/login", "/logout") and scope["type"] == "http":
            return await self._session(path, Request(scope, receive))
        caller = self._access.caller(connection)
        if caller is None:
            return self._not_logged_in(scope, path)
        if scope["type"] == "http":
            service = self._poller.service
            answer = await transfer(path, Request(scope, receive), service, caller)
            if answer is not None:
                return answer
        return await self._page(scope, caller)

    async def _session(self, path: str, request: Request) -> Response:
        assert self._access is not None
        home = RedirectResponse(f"{_root(request.scope)}/", status_code=303)
        if path == "/logout" and request.method == "POST":
            self._access.log_out(home)
            return home
        if not self._access.needed:
            return home
        if request.method != "POST":
            return self._form()
        if self._access.log_in(await _key_of(request), home, secure=request.url.scheme == "https"):
            return home
        await asyncio.sleep(WRONG_KEY_SECONDS)
        return self._form("This key is not accepted.")

    def _form(self, problem: str = "") -> Response:
        assert self._poller is not None
        sensor = self._poller.service.settings.sensor_id
        return HTMLResponse(login_page(sensor, problem), status_code=401 if problem else 200)

    def _not_logged_in(self, scope: Scope, path: str) -> ASGIApp:
        assert self._access is not None
        if self._access.needed and scope["type"] == "http" and scope["method"] == "GET":
            return RedirectResponse(f"{_root(scope)}/login", status_code=303)
        return _refuse(
            scope, 401, "Log in first" if self._access.needed else "Set API_KEYS for other machines"
        )

    async def _page(self, scope: Scope, caller: Caller) -> ASGIApp:
        scope["dashboard"] = self._poller
        scope["caller"] = caller
        scope.setdefault("state", {})["caller"] = caller.name
        async with self._starting:
            if self._pages is None:
                pages = await asyncio.to_thread(_import_pages)
                self._running = pages.router.lifespan_context(pages)
                await self._running.__aenter__()
                self._pages = pages
        return self._pages


def _import_pages() -> Any:
    from inference_server.dashboard.nicegui_app import pages_app

    return pages_app()


def _static(name: str) -> Response:
    if name not in STATIC:
        return OrjsonResponse({"detail": "Not found"}, status_code=404)
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(HERE / name, media_type=STATIC[name], headers=headers)


async def _key_of(request: Request) -> str:
    if int(request.headers.get("content-length") or LONGEST_FORM + 1) > LONGEST_FORM:
        return ""
    form = parse_qs((await request.body()).decode(errors="replace"))
    return form.get("key", [""])[0]


def _root(scope: Scope) -> str:
    root: str = scope.get("root_path", "")
    return root


def _refuse(scope: Scope, status: int, detail: str) -> ASGIApp:
    if scope["type"] == "http":
        return OrjsonResponse({"detail": detail}, status_code=status)

    async def close(scope: Scope, receive: Receive, send: Send) -> None:
        await WebSocket(scope, receive, send).close(1008, detail)

    return close
