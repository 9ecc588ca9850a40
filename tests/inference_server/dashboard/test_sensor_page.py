from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx
from playwright.sync_api import Browser, expect

from helpers.browser import PHONE, log_in, open_page
from helpers.models import typical_flow

Serve = Callable[..., AbstractContextManager[httpx.Client]]


def test_the_state_of_the_sensor_is_shown_and_followed(serve: Serve, browser: Browser) -> None:
    with serve(api_keys="eve:read:look,clerk:predict:ask") as client:
        url = str(client.base_url).rstrip("/")
        with open_page(browser, url, size=PHONE, scheme="dark") as (page, told):
            log_in(page, "look")
            page.get_by_role("link", name="Sensor", exact=True).click()
            expect(page.get_by_role("heading", name="Sensor", exact=True)).to_be_visible()
            expect(page.locator(".pill")).to_have_text("Sensor:Capture off")
            judged = page.locator(".stat", has_text="Flows judged")
            expect(judged).to_contain_text("0 by API")
            answer = client.post("/predict", json=typical_flow(5), headers={"X-API-Key": "ask"})
            assert answer.status_code == 200
            expect(judged).to_contain_text("1 by API")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert told.errors == []
        assert told.foreign == []


def test_without_keys_this_machine_needs_no_log_in(serve: Serve) -> None:
    with serve(ready=False) as client:
        assert client.get("/dashboard/sensor").status_code == 200
        answer = client.get("/dashboard/login")
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/")
