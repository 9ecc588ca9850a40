from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from inference_server.dashboard.access import COOKIE

Serve = Callable[..., AbstractContextManager[httpx.Client]]
KEYS = "eve:read:look,boss:admin:sesame"
PAGE = "/dashboard/sensor"
SOCKET = "/dashboard/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


@pytest.fixture(scope="module")
def locked(serve: Serve) -> Iterator[httpx.Client]:
    with serve(api_keys=KEYS, ready=False) as client:
        yield client


@pytest.fixture
def visitor(locked: httpx.Client) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=locked.base_url, timeout=60) as client:
        yield client


def test_without_a_session_every_page_leads_to_the_log_in(visitor: httpx.Client) -> None:
    for path in ("/dashboard/", PAGE, "/dashboard/_nicegui/x.js", "/dashboard/none"):
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/login")
    assert "API key" in visitor.get("/dashboard/login").text


def test_without_a_session_there_is_no_socket(visitor: httpx.Client) -> None:
    base = str(visitor.base_url).replace("http", "ws").rstrip("/")
    with pytest.raises(InvalidStatus, match="403"), connect(f"{base}{SOCKET}"):
        pass


def test_a_wrong_key_is_refused_and_said_so(visitor: httpx.Client) -> None:
    answer = visitor.post("/dashboard/login", data={"key": "wrong"})
    assert answer.status_code == 401
    assert "This key is not accepted." in answer.text
    assert COOKIE not in visitor.cookies
    assert visitor.post("/dashboard/login", data={"key": "x" * 5000}).status_code == 401


def test_a_key_opens_the_pages_until_the_log_out(visitor: httpx.Client) -> None:
    answer = visitor.post("/dashboard/login", data={"key": "look"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard/")
    shown = visitor.get(PAGE)
    assert shown.status_code == 200
    assert "<title>Sensor" in shown.text
    assert "default-src 'self'" in shown.headers["content-security-policy"]
    visitor.post("/dashboard/logout")
    assert visitor.get(PAGE).status_code == 303


def test_other_sites_cannot_log_anyone_in_or_out(visitor: httpx.Client) -> None:
    answer = visitor.post(
        "/dashboard/login", data={"key": "sesame"}, headers={"Origin": "http://evil.example"}
    )
    assert answer.status_code == 403
    assert COOKIE not in visitor.cookies


def test_only_its_own_files_are_given_out(visitor: httpx.Client) -> None:
    assert visitor.get("/dashboard/static/style.css").headers["content-type"].startswith("text/css")
    for name in ("mount.py", "..%2fmount.py", "templates/head.html"):
        assert visitor.get(f"/dashboard/static/{name}").status_code == 404


def test_it_can_be_switched_off(serve: Serve) -> None:
    with serve(dashboard=False, ready=False) as client:
        answer = client.get("/dashboard/")
        assert answer.status_code == 404
        assert "DASHBOARD=false" in answer.text
        assert client.get("/").status_code == 200


def test_a_service_whose_dashboard_nobody_opens_does_not_import_nicegui() -> None:
    code = "import inference_server.main, sys; sys.exit('nicegui' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
