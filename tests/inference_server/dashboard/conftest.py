from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from helpers.browser import chromium
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.service import Service
from inference_server.settings import load_settings

KEYS = "eve:read:look,clerk:predict:ask,boss:admin:sesame"
Watched = Callable[..., AbstractContextManager[tuple[str, Service]]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; while it runs, this thread has an event loop, and `asyncio.run` cannot be called."""
    with chromium() as running:
        yield running


@pytest.fixture
def watched(champion_state: Path, tmp_path: Path) -> Watched:
    """Run the application with state of its own; yields its address and the service behind it.

    One at a time: NiceGUI's state is the process's.
    """

    @contextmanager
    def running(**settings: Any) -> Iterator[tuple[str, Service]]:
        defaults = {
            "state_dir": tmp_path / "var",
            "log_dir": tmp_path / "logs",
            "mlflow_tracking_uri": f"sqlite:///{champion_state}/mlflow.db",
            "start_cicflowmeter": "false",
            "sensor_id": "sensor-1",
            "api_keys": KEYS,
            "demo": False,
        }
        app = create_app(load_settings(**(defaults | settings)))
        with serving(app) as client:
            wait_until(lambda: client.get("/ready").status_code == 200)
            yield str(client.base_url).rstrip("/"), app.state.service

    return running
