from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from detection.mlflow_client import embedded_uri, open_client
from detection.registration import register_package
from helpers.browser import PHONE, log_in, open_page
from helpers.models import make_package
from helpers.registry import make_registry
from inference_server.service import Service

Watched = Callable[..., AbstractContextManager[tuple[str, Service]]]


@pytest.fixture
def registry(tmp_path: Path) -> str:
    """A registry with two versions, the first of which serves."""
    state = make_registry(tmp_path / "registry", tmp_path / "first")
    uri = embedded_uri(state)
    second = make_package(tmp_path / "second", seed=1)
    register_package(
        open_client(uri), second, "ml-ids", alias=None, artifacts=(state / "mlartifacts").as_uri()
    )
    return uri


def test_an_admin_promotes_a_version_and_takes_it_back(
    watched: Watched, browser: Browser, registry: str
) -> None:
    with (
        watched(mlflow_tracking_uri=registry) as (url, service),
        open_page(browser, url, size=PHONE) as (page, told),
    ):
        log_in(page, "sesame")
        page.get_by_role("link", name="Model").click()
        serving = page.locator(".stat", has_text="Serving")
        expect(serving).to_contain_text("ml-ids 1")
        expect(page.get_by_text("Measured on: random split")).to_be_visible()
        versions = page.locator(".version")
        expect(versions).to_have_count(2)
        versions.filter(has_text="Version 2").get_by_role("button", name="Promote").click()
        page.get_by_role("dialog").get_by_role("button", name="Promote").click()
        expect(serving).to_contain_text("ml-ids 2")
        scorer = service.status().scorer
        assert scorer is not None
        assert scorer.model_version == "2"
        expect(versions.filter(has_text="Version 2")).to_contain_text("@champion")
        page.get_by_role("button", name="Roll back").click()
        page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
        expect(serving).to_contain_text("ml-ids 1")
        page.get_by_text("Model card").click()
        expect(page.get_by_role("heading", name="A model of made-up flows")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
        assert told.errors == []
        assert told.foreign == []


def test_who_is_no_admin_changes_nothing(watched: Watched, browser: Browser) -> None:
    with watched() as (url, _), open_page(browser, url) as (page, told):
        log_in(page, "ask")
        page.goto("/dashboard/model")
        expect(page.locator(".version")).to_have_count(1)
        expect(page.get_by_role("link", name="MLflow")).to_have_attribute("href", "http://127.0.0.1:5000")
        for name in ("Roll back", "Promote", "Look for changes"):
            expect(page.get_by_role("button", name=name)).to_have_count(0)
        assert told.errors == []
