from __future__ import annotations

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from capture.files import read_capture
from capture.rules import LiveRules
from detection.mlflow_client import embedded_uri
from helpers.models import make_scorer
from helpers.namespace import network_namespace, require_tools
from helpers.packets import SERVER, Packet, connection, pcap, pcapng, tcp, udp
from helpers.server import wait_until

PACKETS = [
    packet for n in range(60) for packet in (*connection(n * 500_000, 40_000 + n), udp(n * 500_000 + 9, 30))
]


@pytest.fixture(scope="module")
def client(
    serve: Callable[..., Any], champion_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    state = tmp_path_factory.mktemp("streams-state")
    with serve(
        state_dir=state,
        mlflow_tracking_uri=embedded_uri(champion_state),
        streams_at_once=2,
        close_linger=1.0,
        capture_idle_seconds=2.0,
    ) as client:
        yield client


def port_of(client: httpx.Client) -> int:
    assert client.base_url.port
    return client.base_url.port


class Sender:
    """A client that writes chunks and reads lines when it wants to."""

    def __init__(self, client: httpx.Client) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port_of(client)))
        self._socket.settimeout(60)
        head = "PUT /api/stream HTTP/1.1\r\nHost: sensor\r\nTransfer-Encoding: chunked\r\n\r\n"
        self._socket.sendall(head.encode())
        self.file = self._socket.makefile("rb")

    def send(self, content: bytes) -> None:
        self._socket.sendall(b"%x\r\n%s\r\n" % (len(content), content))

    def end(self) -> None:
        self._socket.sendall(b"0\r\n\r\n")

    def status(self) -> int:
        status = int(self.file.readline().split()[1])
        while self.file.readline().strip():
            pass
        return status

    def lines(self) -> Iterator[dict[str, Any]]:
        """The lines, which may be chunked anyhow."""
        rest = b""
        while size := int(self.file.readline(), 16):
            rest += self.file.read(size)
            self.file.readline()
            *whole, rest = rest.split(b"\n")
            yield from map(json.loads, whole)

    def abort(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self.close()

    def close(self) -> None:
        self.file.close()
        self._socket.close()


def records(packets: list[Packet]) -> bytes:
    return pcap(packets)[24:]


def test_a_stream_is_judged_as_a_live_capture_is(client: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "traffic.pcapng"
    file.write_bytes(pcapng(PACKETS))
    url = f"http://127.0.0.1:{port_of(client)}/api/stream"
    told = subprocess.run(
        ["curl", "-sN", "-T", "-", url], input=file.read_bytes(), capture_output=True, check=True
    )
    *verdicts, last = map(json.loads, told.stdout.splitlines())
    rules = LiveRules(linger_seconds=1.0, idle_seconds=2.0)
    expected = [
        label
        for table in read_capture(file, live_rules=rules)
        for label in make_scorer().score(table).labels().tolist()
    ]
    assert sorted(verdict["label"] for verdict in verdicts) == sorted(expected)
    assert [verdict["n"] for verdict in verdicts] == list(range(1, len(expected) + 1))
    summary = last["summary"]
    assert (summary["packets"], summary["flows"], summary["error"]) == (len(PACKETS), len(expected), None)


def test_verdicts_come_while_the_stream_goes_on(client: httpx.Client) -> None:
    sender = Sender(client)
    sender.send(pcap([])[:24])
    assert sender.status() == 200
    lines = sender.lines()
    sender.send(records(connection()))
    # The connection is closed; nothing more comes, and the clock ends the flow.
    assert next(lines)["n"] == 1
    sender.send(records([tcp(90_000_000, "S"), tcp(200_000_000, "S")]))
    assert next(lines)["n"] == 2
    sender.send(records([udp(300_000_000)])[:-5])
    sender.end()
    *_, last = lines
    assert "cut off inside a record" in last["summary"]["error"]
    sender.close()


@pytest.mark.needs_netns
def test_what_tcpdump_writes_is_judged_while_it_is_written(client: httpx.Client, tmp_path: Path) -> None:
    require_tools("tcpdump", "tcpreplay")
    file = tmp_path / "connection.pcap"
    file.write_bytes(pcap(connection()))
    url = f"http://127.0.0.1:{port_of(client)}/api/stream"
    with network_namespace() as namespace:
        command = namespace.command("tcpdump", "-i", namespace.sensor, "-U", "-w", "-")
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tcpdump:
            assert tcpdump.stderr
            assert b"listening on" in tcpdump.stderr.readline()
            curl = subprocess.Popen(
                ["curl", "-sN", "-T", ".", url], stdin=tcpdump.stdout, stdout=subprocess.PIPE
            )
            namespace.run("tcpreplay", "-q", "-t", "-i", namespace.sender, str(file))
            assert curl.stdout
            assert json.loads(curl.stdout.readline())["dst_port"] == SERVER[1]
            tcpdump.send_signal(signal.SIGINT)
            *_, last = curl.communicate(timeout=60)[0].splitlines()
    assert json.loads(last)["summary"]["packets"] == len(connection())


def test_what_is_no_capture_is_refused(client: httpx.Client) -> None:
    answer = client.post("/api/stream", content=b"GIF89a, not packets at all")
    assert (answer.status_code, "not a pcap or pcapng" in answer.json()["detail"]) == (422, True)
    assert client.post("/api/stream").status_code == 422


def active(client: httpx.Client) -> int:
    return int(client.get("/health").json()["streams"]["active"])


def test_streams_are_bounded_and_end_with_their_client(client: httpx.Client) -> None:
    wait_until(lambda: active(client) == 0)
    senders = [Sender(client) for _ in range(2)]
    for sender in senders:
        sender.send(pcap([])[:24])
        assert sender.status() == 200
    answer = client.post("/api/stream", content=pcap(PACKETS))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    for sender in senders:
        sender.close()
    wait_until(lambda: active(client) == 0)
    assert client.post("/api/stream", content=pcap(PACKETS)).status_code == 200


def test_a_reader_that_stops_stops_the_stream_and_nobody_else(client: httpx.Client) -> None:
    content = records([udp(n * 3_000_000, src=("10.0.0.1", 1 + n % 60_000)) for n in range(20_000)])
    sender = Sender(client)
    sender.send(pcap([])[:24])
    assert sender.status() == 200
    sent = 0

    def flood() -> None:
        nonlocal sent
        with suppress(OSError):
            for _ in range(400):
                sender.send(content)
                sent += len(content)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    before = -1
    while sent != before:
        before = sent
        time.sleep(1.0)
    assert sent < 30_000_000
    assert client.post("/predict", json=[]).status_code == 422
    sender.abort()
    thread.join(60)
    wait_until(lambda: active(client) == 0)


def test_an_open_stream_does_not_keep_the_service_from_stopping(
    serve: Callable[..., Any], champion_state: Path, tmp_path: Path
) -> None:
    registry = {"state_dir": tmp_path, "mlflow_tracking_uri": embedded_uri(champion_state)}
    with serve(**registry) as client:
        sender = Sender(client)
        sender.send(pcap([])[:24])
        assert sender.status() == 200
    sender.close()
