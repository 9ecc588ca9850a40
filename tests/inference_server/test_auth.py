from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request

from helpers.server import serving
from inference_server.auth import KeyCheck
from inference_server.errors import install_errors
from inference_server.settings import Settings


@contextmanager
def _guarded(settings: Settings, host: str = "127.0.0.1") -> Iterator[httpx.Client]:
    app = FastAPI()
    install_errors(app)
    check = KeyCheck(settings)

    @app.get("/")
    async def root(request: Request) -> str:
        check.check(request)
        return "welcome"

    with serving(app, host=host) as client:
        yield client


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "one"}, 200),
        ({"X-API-Key": "two"}, 200),
        ({"X-API-Key": "three"}, 401),
        ({"X-API-Key": ""}, 401),
        ({"Authorization": "Bearer two"}, 200),
        ({"Authorization": "bearer two"}, 200),
        ({"Authorization": "Basic two"}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"X-API-Key": "three", "Authorization": "Bearer one"}, 200),
        ({"X-API-Key": "sch\u00fcssel".encode("latin-1")}, 401),
    ],
)
def test_keys(headers: dict[str, str], status: int) -> None:
    with _guarded(Settings(api_keys="one,two")) as client:
        assert client.get("/", headers=headers).status_code == status


def test_without_keys_this_machine_is_served() -> None:
    with _guarded(Settings()) as client:
        assert client.get("/").status_code == 200


def test_without_keys_another_address_is_not_served() -> None:
    # 0.0.0.0 reaches this machine too; what counts is the address a request arrived at.
    app_settings = Settings()
    with _guarded(app_settings, host=_own_address()) as client:
        answer = client.get("/")
        assert answer.status_code == 401
        assert "API_KEYS" in answer.json()["detail"]
    with _guarded(Settings(allow_unauthenticated=True), host=_own_address()) as client:
        assert client.get("/").status_code == 200


def _own_address() -> str:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])
