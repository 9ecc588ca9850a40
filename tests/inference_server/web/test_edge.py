from __future__ import annotations

import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import StreamingResponse
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from helpers.server import serving, wait_until
from inference_server.web.access_log import AccessLog
from inference_server.web.errors import install_errors
from inference_server.web.http_traffic import HttpTraffic

LIMIT = 2


class App:
    """An application behind the edge, with its traffic and the lines of its access log."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "access.log"
        self.log = AccessLog(folder)
        self.traffic = HttpTraffic(LIMIT, self.log)
        self.release = threading.Event()

    def lines(self, path: str) -> list[dict[str, Any]]:
        wait_until(lambda: self.path.exists() and f'"{path}"' in self.path.read_text())
        lines = map(json.loads, self.path.read_text().splitlines())
        return [line for line in lines if line["path"] == path]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, App]]:
    made = App(tmp_path_factory.mktemp("logs"))
    made.log.start()
    app = FastAPI()
    install_errors(app)
    app.state.service = SimpleNamespace(http=made.traffic)

    @app.get("/fine/{rest:path}")
    @app.get("/dashboard/{rest:path}")
    async def fine(rest: str) -> str:
        return rest

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("the secret cause")

    @app.get("/late")
    async def late() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"begun"
            raise ValueError("the secret cause")

        return StreamingResponse(parts())

    @app.get("/wait")
    @app.get("/health")
    async def wait() -> bool:
        return await anyio.to_thread.run_sync(made.release.wait, 60)

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        while True:
            await socket.send_text(await socket.receive_text())

    @app.websocket("/fails")
    async def fails(socket: WebSocket) -> None:
        await socket.accept()
        raise ValueError("the secret cause")

    with serving(app) as client:
        yield client, made
    made.log.stop(60)


Behind = tuple[httpx.Client, App]


def test_an_id_is_taken_over_when_it_is_sane_and_made_otherwise(behind: Behind) -> None:
    client, _ = behind
    assert (
        client.get("/fine/a", headers={"X-Request-Id": "trace-1.A_b"}).headers["x-request-id"]
        == "trace-1.A_b"
    )
    made = [
        client.get("/fine/a", headers={"X-Request-Id": given} if given else {}).headers["x-request-id"]
        for given in (None, "two words", 'quote"', "x" * 65, "é".encode("latin-1"))
    ]
    assert len(set(made)) == len(made)
    assert all(10 < len(each) < 40 for each in made)


@pytest.mark.parametrize("path", ["/fine/a", "/nowhere", "/broken", "/dashboard/x"])
def test_every_answer_has_the_security_headers(behind: Behind, path: str) -> None:
    headers = behind[0].get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] in {"no-referrer", "same-origin"}
    assert "strict-transport-security" not in headers
    assert headers["x-request-id"]


def test_what_nobody_expected_is_told_to_the_log_alone(
    behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = behind
    with caplog.at_level(logging.ERROR):
        answer = client.get("/broken")
    assert (answer.status_code, answer.json()) == (500, {"detail": "Internal error"})
    (record,) = [record for record in caplog.records if record.name == "inference_server.web.edge"]
    assert answer.headers["x-request-id"] in record.getMessage()
    assert record.exc_info


def test_an_error_after_the_start_of_an_answer_breaks_it_off(behind: Behind) -> None:
    client, app = behind
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/late")
    assert app.lines("/late")[0]["status"] == 200


def test_the_access_log_says_who_asked_for_what(behind: Behind) -> None:
    client, app = behind
    answer = client.get("/fine/a%0Ab?secret=1", headers={"X-Request-Id": "mine"})
    wait_until(lambda: "secret" not in app.path.read_text() and '"mine"' in app.path.read_text())
    [line] = [json.loads(text) for text in app.path.read_text().splitlines() if '"mine"' in text]
    assert line["ms"] > 0
    assert line.pop("time").endswith("Z")
    assert line | {"ms": 0} == {
        **{
            "request_id": "mine",
            "client": "127.0.0.1",
            "caller": None,
            "method": "GET",
            "path": "/fine/a\nb",
        },
        **{"status": 404, "ms": 0, "bytes": len(answer.content)},
    }


def test_more_requests_at_once_than_the_limit_are_told_to_come_back(behind: Behind) -> None:
    client, app = behind
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(httpx.get(client.base_url.join("/wait"), timeout=60).status_code)

    threads = [threading.Thread(target=ask) for _ in range(LIMIT)]
    for thread in threads:
        thread.start()
    wait_until(lambda: app.traffic.status().running == LIMIT)
    refused = client.get("/fine/a")
    refused_frame = client.post("/api/predictions")
    app.release.set()
    for thread in threads:
        thread.join(60)
    assert statuses == [200] * LIMIT
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "MAX_CONCURRENT_REQUESTS" in refused.json()["detail"]
    assert refused_frame.json() == {"error": refused.json()["detail"]}
    assert client.get("/fine/a").status_code == 200


def test_the_health_check_answers_all_the_same(behind: Behind) -> None:
    _, app = behind
    begun = [app.traffic.begin("/fine/a") for _ in range(LIMIT + 1)]
    assert begun == [True] * LIMIT + [False]
    assert app.traffic.begin("/health")
    for _ in range(LIMIT + 2):
        app.traffic.end({"path": "/counted"}, "id", None, 0.0, 0)
    assert app.traffic.status().running == 0
    assert app.traffic.status().answered[499] >= LIMIT + 2


def test_web_sockets_are_logged_when_they_end(behind: Behind, caplog: pytest.LogCaptureFixture) -> None:
    client, app = behind
    url = f"ws://{client.base_url.netloc.decode()}"
    with connect(f"{url}/echo") as socket:
        socket.send("hello")
        assert socket.recv() == "hello"
        assert app.traffic.status().sockets == 1
    [line] = app.lines("/echo")
    assert (line["status"], line["method"]) == (101, "WEBSOCKET")
    with connect(f"{url}/fails") as socket, pytest.raises(ConnectionClosedError) as closed:
        socket.recv()
    assert closed.value.rcvd
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "Internal error")
    wait_until(lambda: app.traffic.status().sockets == 0)
    assert any("WebSocket '/fails' failed" in record.getMessage() for record in caplog.records)
