from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
from playwright.sync_api import Browser, expect

from helpers.browser import PHONE, log_in, open_page
from inference_server.demo import CAPTURE
from inference_server.service import Service

Watched = Callable[..., AbstractContextManager[tuple[str, Service]]]


def test_a_capture_is_sent_watched_and_its_verdicts_are_read(watched: Watched, browser: Browser) -> None:
    with watched() as (url, service), open_page(browser, url, size=PHONE) as (page, told):
        log_in(page, "sesame")
        page.goto("/dashboard/captures")
        expect(page.get_by_text("No captures yet")).to_be_visible()
        page.get_by_label("Drop a capture here, or choose one").set_input_files(CAPTURE)
        expect(page.get_by_role("heading", name=CAPTURE.name)).to_be_visible()
        expect(page.get_by_role("progressbar").first).to_be_visible()
        expect(page.get_by_text("Analysed", exact=True)).to_be_visible(timeout=60_000)
        [upload] = service.uploads.list()
        assert upload.attacks > 0
        attacks = page.locator(".stat", has_text="Attacks")
        expect(attacks).to_contain_text(f"{upload.attacks:,}")
        expect(page.locator("table.data tbody tr")).to_have_count(min(upload.attacks, 200))
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        with page.expect_download() as download:
            page.get_by_role("link", name="All verdicts").click()
        lines = Path(download.value.path()).read_bytes().splitlines()
        assert len(lines) == upload.flows
        assert json.loads(lines[0])["n"] == 1

        page.get_by_role("link", name="Captures").click()
        expect(page.get_by_role("row", name=CAPTURE.name)).to_contain_text("done")
        page.get_by_role("link", name=CAPTURE.name).click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("No captures yet")).to_be_visible()
        assert told.errors == []
        assert told.foreign == []


def test_what_is_no_capture_is_said_so(watched: Watched, browser: Browser, tmp_path: Path) -> None:
    text = tmp_path / "notes.pcap"
    text.write_text("no capture at all")
    with watched() as (url, _), open_page(browser, url) as (page, told):
        log_in(page, "ask")
        page.goto("/dashboard/captures")
        page.get_by_label("Drop a capture here, or choose one").set_input_files(text)
        expect(page.get_by_text("Failed", exact=True)).to_be_visible(timeout=60_000)
        expect(page.locator(".problem")).to_be_visible()
        expect(page.get_by_role("button", name="Delete")).to_have_count(0)
        assert told.errors == []


def test_who_may_only_read_sends_no_captures(watched: Watched, browser: Browser) -> None:
    with watched() as (url, _), open_page(browser, url) as (page, _told):
        log_in(page, "look")
        page.goto("/dashboard/captures")
        expect(page.get_by_text("No captures yet")).to_be_visible()
        expect(page.get_by_text("Drop a capture here")).to_have_count(0)
        with httpx.Client(base_url=url, timeout=60) as visitor:
            visitor.post("/dashboard/login", data={"key": "look"})
            answer = visitor.put("/dashboard/send-capture", content=CAPTURE.read_bytes())
        assert answer.status_code == 403
        assert "role predict" in answer.json()["detail"]
