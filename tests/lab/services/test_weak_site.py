from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import httpx
import pytest

from lab.services.weak_site import PASSWORD, Shop, shop


@pytest.fixture
def site() -> Iterator[httpx.Client]:
    class Own(Shop):
        database = shop(1)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}", trust_env=False) as client:
            yield client
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


def test_it_sells_the_same_for_the_same_seed(site: httpx.Client) -> None:
    one, other = (shop(3).execute("SELECT * FROM product").fetchall() for _ in range(2))
    assert one == other
    assert "lamp" in site.get("/search", params={"q": "lamp"}).text


def test_what_is_searched_for_is_put_into_sql_and_shown_as_it_is(site: httpx.Client) -> None:
    stolen = site.get("/search", params={"q": "x' UNION SELECT name, password FROM customer --"})
    assert PASSWORD in stolen.text
    assert site.get("/product", params={"id": "1'"}).status_code == 500
    script = "<script>alert(1)</script>"
    assert script in site.get("/search", params={"q": script}).text


def test_what_is_said_is_shown_to_everybody_as_it_is(site: httpx.Client) -> None:
    assert site.post("/comments", content="<b>hello</b>").status_code == 200
    assert "<b>hello</b>" in site.get("/").text


def test_passwords_may_be_guessed(site: httpx.Client) -> None:
    wrong = site.post("/login", data={"user": "anna", "password": "x"})
    assert (wrong.status_code, wrong.text) == (200, "wrong password")
    assert site.post("/login", data={"user": "anna", "password": PASSWORD}).text == "welcome"


def test_it_takes_and_gives_as_much_as_is_asked_for(site: httpx.Client) -> None:
    assert len(site.get("/download", params={"size": 12345}).content) == 12345
    assert site.post("/upload", content=bytes(5000)).text == "5000 bytes"
    assert site.get("/missing").status_code == 404
