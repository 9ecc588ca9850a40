"""Chromium, Debian's, driven by Playwright; tells of errors and of requests to other hosts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

expect.set_options(timeout=30_000)
LAPTOP = (1280, 800)
PHONE = (390, 844)
Scheme: TypeAlias = Literal["light", "dark"]
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


@contextmanager
def chromium(path: str | None = shutil.which("chromium")) -> Iterator[Browser]:
    """Run the browser; skips the test where it is not installed."""
    if path is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class Told:
    """What a page told that it should not have.

    Attributes:
        errors: of its scripts and of its console.
        foreign: addresses of other hosts that it asked.
    """

    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


@contextmanager
def open_page(
    browser: Browser, url: str, *, size: tuple[int, int] = LAPTOP, scheme: Scheme = "light", **more: Any
) -> Iterator[tuple[Page, Told]]:
    """Open a page of its own session; `url` is the server's."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=url, **more
    )
    page, told = context.new_page(), Told()
    own = (url, "data:", "blob:")
    page.on("request", lambda request: request.url.startswith(own) or told.foreign.append(request.url))
    page.on("pageerror", lambda error: told.errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and told.errors.append(message.text))
    page.set_default_timeout(30_000)
    try:
        yield page, told
    finally:
        context.close()


def log_in(page: Page, key: str) -> None:
    """Exchange a key for a session, through the form."""
    page.goto("/dashboard/login")
    page.get_by_label("API key").fill(key)
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()
