from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from alerting.book import feed
from helpers.book import all_alerts, opening, written
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.routes import live as live_routes
from inference_server.service import Service
from inference_server.settings import load_settings

KEYS = "looker:read:r,ops:admin:a"
SECONDS = 60.0


@contextmanager
def service_of(folder: Path, **changes: Any) -> Iterator[tuple[Service, str]]:
    settings = {"state_dir": folder / "var", "log_dir": folder / "logs", "start_cicflowmeter": "false"}
    app = create_app(load_settings(**(settings | {"demo": False, "register_starter": False} | changes)))
    with serving(app) as client:
        service: Service = app.state.service
        yield service, str(client.base_url).replace("http", "ws") + "/api/alerts/live"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, str]]:
    with service_of(tmp_path_factory.mktemp("live")) as found:
        yield found


def told(client: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(client.recv(SECONDS))
    return message


def begun(client: ClientConnection) -> int:
    """Wait for the first message; the number of the change that it ends with."""
    first = told(client)
    assert first["type"] == "alerts"
    return int(first["last"])


def sources(message: dict[str, Any]) -> list[str]:
    return [alert["src_ip"] for alert in message["alerts"]]


def test_a_subscriber_is_told_what_changes(live: tuple[Service, str]) -> None:
    service, url = live
    with connect(url) as client:
        begun(client)
        service.alert_book.take(opening(["10.1.0.1"]))
        message = told(client)
        assert (sources(message), message["skipped"]) == (["10.1.0.1"], 0)
        alert = message["alerts"][0]
        assert alert in all_alerts(service.alert_book)
        service.alert_book.acknowledge(alert["id"], None)
        again = told(client)["alerts"]
    assert [(each["id"], each["acknowledged"]) for each in again] == [(alert["id"], True)]


def test_the_query_and_later_messages_say_what_is_wanted(live: tuple[Service, str]) -> None:
    service, url = live
    with connect(f"{url}?address=10.2.0.0/24&severity=3&severity=2") as client:
        begun(client)
        service.alert_book.take(opening(["10.2.1.1", "10.2.0.1"]))
        assert sources(told(client)) == ["10.2.0.1"]
        client.send(json.dumps({"label": "DoS Hulk"}))
        begun(client)
        service.alert_book.take(opening(["10.2.0.2", "10.2.0.3"], [17, 5]))
        assert sources(told(client)) == ["10.2.0.3"]


def test_who_comes_back_is_told_what_changed_meanwhile(live: tuple[Service, str]) -> None:
    service, url = live
    with connect(url) as client:
        last = begun(client)
    service.alert_book.take(opening(["10.3.0.1", "10.3.0.2"]))
    written(service.alert_book)
    with connect(f"{url}?after={last}") as client:
        message = told(client)
        assert sources(message) == ["10.3.0.1", "10.3.0.2"]
        assert message["last"] == message["alerts"][-1]["seq"]
        client.send(json.dumps({"after": message["alerts"][0]["seq"]}))
        assert sources(told(client)) == ["10.3.0.2"]


def test_silence_is_told(live: tuple[Service, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_routes, "HEARTBEAT_SECONDS", 0.05)
    with connect(live[1]) as client:
        messages = [told(client) for _ in range(30)]
    assert {message["type"] for message in messages} == {"alerts", "heartbeat"}
    assert messages[-1] == {"type": "heartbeat", "last": live[0].alert_book.last_seq()}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("severity=4", "severity.0: Input should be less than or equal to 3"),
        ("address=ten", "address: "),
        ("after=-1", "after: "),
        ("limit=5", "limit: "),
        ("key=r", "key: not in a query, which logs keep"),
    ],
)
def test_a_wrong_query_is_refused(live: tuple[Service, str], query: str, said: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{live[1]}?{query}")
    assert refused.value.response.status_code == 422
    assert said in refused.value.response.body.decode()


@pytest.mark.parametrize("text", ["[]", "{", '{"severity": "high"}', '{"text": "' + "x" * 20_000 + '"}'])
def test_a_wrong_message_ends_the_subscription_with_a_reason(live: tuple[Service, str], text: str) -> None:
    with connect(live[1]) as client:
        begun(client)
        client.send(text)
        assert told(client)["type"] == "error"
        with pytest.raises(ConnectionClosed):
            client.recv(SECONDS)
        assert client.protocol.close_code == 1008


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = base64.urlsafe_b64encode(b"r").decode().rstrip("=")
    with service_of(tmp_path, api_keys=KEYS) as (_, url):
        for options in (
            {"additional_headers": {"X-API-Key": "r"}},
            {"additional_headers": {"Authorization": "Bearer a"}},
            {"subprotocols": ["ml-ids", f"key.{encoded}"]},
        ):
            with connect(url, **options) as client:
                begun(client)
        with connect(url) as client:
            client.send(json.dumps({"key": "r", "severity": [1]}))
            begun(client)
        with pytest.raises(InvalidStatus) as refused:
            connect(url, additional_headers={"X-API-Key": "no"})
        assert refused.value.response.status_code == 401
        with connect(url) as client:
            client.send(json.dumps({"key": "no"}))
            assert told(client) == {"type": "error", "detail": "API key not accepted"}
        monkeypatch.setattr(live_routes, "FIRST_MESSAGE_SECONDS", 0.05)
        with connect(url) as client:
            assert "API key missing" in told(client)["detail"]


def test_pages_of_other_sites_do_not_subscribe(live: tuple[Service, str]) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(live[1], origin="http://elsewhere.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


def test_one_subscriber_too_many_is_sent_away(
    live: tuple[Service, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, url = live
    wait_until(lambda: service.alert_book.status().live.subscribers == 0)
    monkeypatch.setattr(feed, "MAX_SUBSCRIBERS", 1)
    with connect(url) as client, connect(url) as other:
        begun(client)
        assert "subscribed already" in told(other)["detail"]
        with pytest.raises(ConnectionClosed):
            other.recv(SECONDS)
        assert other.protocol.close_code == 1013
    assert service.alert_book.status().live.refused == 1


def test_a_slow_reader_is_dropped_with_a_message_and_nobody_else_waits(
    live: tuple[Service, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service, url = live
    monkeypatch.setattr(feed, "TELL_SECONDS", 0.01)
    monkeypatch.setattr(feed, "MESSAGES_WAITING", 3)
    before = service.alert_book.status().live.dropped
    address = httpx.URL(url)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect((address.host, address.port))
    with connect(url) as quick, connect(url, sock=small, max_queue=1, compression=None) as slow:
        begun(quick)
        begun(slow)
        wait_until(lambda: service.alert_book.status().live.subscribers == 2)
        seen, network = 0, 0
        while service.alert_book.status().live.dropped == before:
            service.alert_book.take(opening([f"10.9.{network % 250}.{host}" for host in range(250)]))
            network += 1
            while seen < 250 * network:
                message = told(quick)
                seen += len(message["alerts"]) + message["skipped"]
        last = told(slow)
        while last["type"] == "alerts":
            last = told(slow)
        assert last["type"] == "dropped"
        assert "too slow" in last["reason"]
        with pytest.raises(ConnectionClosed):
            slow.recv(SECONDS)
        assert slow.protocol.close_code == 1013
    status = written(service.alert_book).status()
    assert status.live.dropped == before + 1
    assert not any(status.lost.values())


def test_who_never_reads_is_left(live: tuple[Service, str], monkeypatch: pytest.MonkeyPatch) -> None:
    service, url = live
    monkeypatch.setattr(feed, "TELL_SECONDS", 0.01)
    monkeypatch.setattr(live_routes, "SEND_SECONDS", 0.2)
    monkeypatch.setattr(live_routes, "LOOK_SECONDS", 0.05)
    address = httpx.URL(url)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect((address.host, address.port))
        deaf.sendall(
            b"GET /api/alerts/live HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        wait_until(lambda: service.alert_book.status().live.subscribers == 1)
        network = 0
        while service.alert_book.status().live.subscribers:
            network += 1
            service.alert_book.take(opening([f"10.8.{network % 250}.{host}" for host in range(250)]))
            written(service.alert_book)
    wait_until(lambda: service.http.status().sockets == 0)


def test_subscribers_are_told_when_the_service_stops(tmp_path: Path) -> None:
    with ExitStack() as running:
        _, url = running.enter_context(service_of(tmp_path))
        with connect(url) as client:
            begun(client)
            running.close()
            with pytest.raises(ConnectionClosed):
                client.recv(SECONDS)
