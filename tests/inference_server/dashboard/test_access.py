from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response

from inference_server.dashboard.access import COOKIE, Access, Caller, from_this_site
from inference_server.settings import load_settings
from inference_server.web.api_keys import Role
from inference_server.web.auth import KeyCheck

KEYS = "eve:read:look,boss:admin:sesame"


def access(keys: str = KEYS, secret: str = "s" * 64, **more: object) -> Access:
    settings = load_settings(api_keys=keys, **more)
    return Access(settings, KeyCheck(settings), secret)


def request(cookie: str = "", *, server: str = "127.0.0.1", **headers: str) -> Request:
    sent = headers | ({"cookie": f"{COOKIE}={cookie}"} if cookie else {})
    pairs = [(name.encode(), value.encode()) for name, value in sent.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": pairs, "server": (server, 8000)})


def session(given: Access, key: str) -> str:
    response = Response()
    assert given.log_in(key, response, secure=False)
    return response.headers["set-cookie"].split(";")[0].removeprefix(f"{COOKIE}=")


def test_a_key_is_exchanged_for_a_session_of_its_role() -> None:
    both = access()
    assert both.caller(request(session(both, "look"))) == Caller("eve", Role.READ)
    assert both.caller(request(session(both, " sesame "))) == Caller("boss", Role.ADMIN)


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites_and_holds_no_key() -> None:
    response = Response()
    assert access().log_in("sesame", response, secure=True)
    cookie = response.headers["set-cookie"]
    assert "sesame" not in cookie
    assert "boss" not in cookie
    lower = cookie.lower()
    assert all(part in lower for part in ("httponly", "samesite=strict", "secure", "path=/dashboard"))


@pytest.mark.parametrize("key", ["", "wrong", "boss:admin:sesame", "boss"])
def test_a_wrong_key_gets_no_session(key: str) -> None:
    response = Response()
    assert not access().log_in(key, response, secure=False)
    assert "set-cookie" not in response.headers


def test_a_cookie_of_another_secret_or_none_is_nobody_s() -> None:
    given = access()
    token = session(given, "sesame")
    assert access(secret="t" * 64).caller(request(token)) is None
    assert given.caller(request(token[:-2])) is None
    assert given.caller(request()) is None


def test_a_session_ends_with_its_key_and_its_role_is_the_key_s_of_today() -> None:
    token = session(access(), "sesame")
    assert access("eve:read:look").caller(request(token)) is None
    assert access("boss:predict:sesame").caller(request(token)) == Caller("boss", Role.PREDICT)


def test_without_keys_this_machine_may_do_everything_and_others_nothing() -> None:
    anyone = access("")
    assert anyone.caller(request()) == Caller(None, Role.ADMIN)
    assert anyone.caller(request(server="192.0.2.7")) is None
    assert access("", allow_unauthenticated=True).caller(request(server="192.0.2.7"))


def test_pages_of_other_sites_are_told_by_their_origin() -> None:
    assert from_this_site(request(host="sensor:8000"))
    assert from_this_site(request(host="sensor:8000", origin="http://sensor:8000"))
    assert not from_this_site(request(host="sensor:8000", origin="http://evil.example"))
    assert not from_this_site(request(host="sensor:8000", origin="null"))
