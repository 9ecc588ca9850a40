from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.websockets import WebSocket
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from helpers.server import serving
from inference_server.settings import Settings
from inference_server.web.api_keys import Role
from inference_server.web.auth import SUBPROTOCOL, KeyCheck, require
from inference_server.web.errors import install_errors

ROLES = "siem:read:r,sensor:predict:p,ops:admin:a"


@contextmanager
def _guarded(settings: Settings, host: str = "127.0.0.1") -> Iterator[httpx.Client]:
    app = FastAPI()
    install_errors(app)
    app.state.service = SimpleNamespace(keys=KeyCheck(settings))

    @app.get("/")
    @app.get("/{role}")
    @app.post("/{role}")
    async def root(request: Request, role: str = "read") -> str | None:
        return require(request, Role[role.upper()])

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        name = require(socket, Role.READ)
        await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
        await socket.send_json(name)
        await socket.close()

    with serving(app, host=host) as client:
        yield client


def _live(client: httpx.Client, *, key: str | None = None, **headers: str) -> str:
    """Return what a WebSocket says; `key` goes as a browser sends it."""
    protocols = None
    if key is not None:
        encoded = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
        protocols = [Subprotocol(SUBPROTOCOL), Subprotocol(f"key.{encoded}")]
    url = f"ws://{client.base_url.netloc.decode()}/live"
    with connect(url, additional_headers=headers, subprotocols=protocols) as socket:
        assert socket.subprotocol == (protocols and SUBPROTOCOL)
        return str(socket.recv())


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


@pytest.mark.parametrize(
    ("key", "allowed"), [("r", ["read"]), ("p", ["read", "predict"]), ("a", ["read", "predict", "admin"])]
)
def test_a_role_allows_what_those_below_it_allow(key: str, allowed: list[str]) -> None:
    with _guarded(Settings(api_keys=ROLES)) as client:
        answers = {
            role: client.get(f"/{role}", headers={"X-API-Key": key}) for role in ("read", "predict", "admin")
        }
    assert [role for role, answer in answers.items() if answer.status_code == 200] == allowed
    refused = [answer for answer in answers.values() if answer.status_code != 200]
    assert all(answer.status_code == 403 for answer in refused)
    assert all("This needs a key of role" in answer.json()["detail"] for answer in refused)


def test_the_caller_is_told_by_name() -> None:
    with _guarded(Settings(api_keys=ROLES + ",bare")) as client:
        for key, name in {"r": "siem", "a": "ops", "bare": "key-4"}.items():
            assert client.get("/", headers={"X-API-Key": key}).json() == name
    with _guarded(Settings()) as client:
        assert client.get("/").json() is None


def test_of_two_keys_the_one_that_allows_more_counts() -> None:
    with _guarded(Settings(api_keys=ROLES)) as client:
        answer = client.get("/admin", headers={"X-API-Key": "r", "Authorization": "Bearer a"})
    assert answer.json() == "ops"


def test_requests_a_minute_count_by_caller_and_wrong_keys_by_address() -> None:
    with _guarded(Settings(api_keys=ROLES, requests_per_minute=3)) as client:
        answers = [client.get("/", headers={"X-API-Key": "r"}) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        assert client.get("/", headers={"X-API-Key": "a"}).status_code == 200
        guesses = [client.get("/", headers={"X-API-Key": f"guess {number}"}) for number in range(4)]
        assert [answer.status_code for answer in guesses] == [401, 401, 401, 429]


def test_web_sockets() -> None:
    with _guarded(Settings(api_keys=ROLES + ",other:read:schl\u00fcssel/+")) as client:
        assert _live(client, **{"X-API-Key": "r"}) == '"siem"'
        assert _live(client, **{"Authorization": "Bearer p"}) == '"sensor"'
        assert _live(client, key="a") == '"ops"'
        assert _live(client, key="schl\u00fcssel/+") == '"other"'
        for key in (None, "x"):
            with pytest.raises(InvalidStatus) as refused:
                _live(client, key=key)
            assert refused.value.response.status_code == 401
            assert b"API key" in refused.value.response.body


def test_pages_of_other_sites_are_refused_where_no_key_stands_against_them() -> None:
    with _guarded(Settings()) as client:
        own = {"Origin": f"http://{client.base_url.netloc.decode()}"}
        other = {"Origin": "http://evil.example"}
        assert client.post("/admin", headers=own).status_code == 200
        assert client.post("/admin", headers=other).status_code == 403
        assert client.get("/read", headers=other).status_code == 200
        assert _live(client, **own) == "null"
        with pytest.raises(InvalidStatus) as refused:
            _live(client, **other)
        assert refused.value.response.status_code == 403
    with _guarded(Settings(api_keys=ROLES)) as client:
        assert client.post("/admin", headers={**other, "X-API-Key": "a"}).status_code == 200


def _own_address() -> str:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])
