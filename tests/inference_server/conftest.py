from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from helpers.registry import make_registry
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.settings import Settings, load_settings

Serve = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(autouse=True)
def _no_settings_from_outside(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path_factory.mktemp("cwd"))


@pytest.fixture(scope="session")
def champion_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A STATE_DIR whose registry has a champion; tests only read it."""
    return make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def serve(champion_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Run the real application; yields a client once a model serves."""

    @contextmanager
    def running(*, ready: bool = True, **settings: Any) -> Iterator[httpx.Client]:
        defaults = {
            "state_dir": champion_state,
            "log_dir": tmp_path_factory.mktemp("logs"),
            "start_cicflowmeter": "false",
            "sensor_id": "sensor-1",
            "demo": False,
            "flow_archive_gb": 0,
        }
        with serving(create_app(load_settings(**(defaults | settings)))) as client:
            if ready:
                wait_until(lambda: client.get("/ready").status_code == 200)
            yield client

    return running


@pytest.fixture(scope="session")
def client(serve: Serve) -> Iterator[httpx.Client]:
    """The application with nothing but defaults, shared."""
    with serve() as client:
        yield client
