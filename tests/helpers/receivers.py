"""Servers that take alerts, in this process: HTTP, SMTP and syslog; what they got, and how they misbehave."""

from __future__ import annotations

import base64
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from helpers.server import wait_until


@dataclass
class Posted:
    """What an HTTP server got."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class HttpReceiver:
    """An HTTP server's answers, which wait while it is not `opened`, and what it got so far."""

    url: str
    status: int = 200
    answer: bytes = b"ok"
    opened: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    posted: list[Posted] = field(default_factory=list)


@contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Run an HTTP server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed in the middle: nothing was posted
                self.close_connection = True
                return
            receiver.asked += 1
            receiver.opened.wait(60)
            receiver.posted.append(Posted(self.path, dict(self.headers), body))
            self.send_response(receiver.status)
            self.send_header("Content-Length", str(len(receiver.answer)))
            self.end_headers()
            self.wfile.write(receiver.answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = HttpReceiver(f"http://127.0.0.1:{server.server_port}/hook")
    receiver.opened.set()
    with _running(server):
        try:
            yield receiver
        finally:
            receiver.opened.set()


@dataclass
class SmtpReceiver:
    """A mail server: whom it refuses, what it got, and who logged in."""

    port: int
    refuses: frozenset[str] = frozenset()
    mails: list[EmailMessage] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)


@contextmanager
def smtp_receiver(
    context: ssl.SSLContext | None = None, *, refuses: frozenset[str] = frozenset()
) -> Iterator[SmtpReceiver]:
    """Run a mail server, which offers STARTTLS when it has a certificate."""
    server = _SmtpServer(("127.0.0.1", 0), _SmtpHandler)
    server.context = context
    server.receiver = SmtpReceiver(server.server_address[1], refuses)
    with _running(server):
        yield server.receiver


@dataclass
class TcpReceiver:
    """A server that reads what connections bring."""

    port: int
    server: _Threading
    received: bytearray = field(default_factory=bytearray)
    connections: list[socket.socket] = field(default_factory=list)

    def hang_up(self) -> None:
        """Close all connections."""
        for connection in self.connections:
            connection.shutdown(socket.SHUT_RDWR)
        self.connections.clear()


@contextmanager
def tcp_receiver() -> Iterator[TcpReceiver]:
    """Run a server that keeps all bytes that come."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            receiver.connections.append(self.request)
            while data := self.request.recv(65_536):
                receiver.received += data

    server = _Threading(("127.0.0.1", 0), Handler)
    receiver = TcpReceiver(server.server_address[1], server)
    with _running(server):
        yield receiver


@contextmanager
def udp_receiver() -> Iterator[socket.socket]:
    """A socket that datagrams can be sent to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(30)
        yield receiver


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file; skips the test without openssl."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    both = folder / "certificate.pem"
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *name]
    subprocess.run(
        [*command, "-keyout", both, "-out", folder / "public.pem"], check=True, capture_output=True
    )
    both.write_text(both.read_text() + (folder / "public.pem").read_text())
    return both


class _Threading(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


class _SmtpServer(_Threading):
    receiver: SmtpReceiver
    context: ssl.SSLContext | None


class _SmtpHandler(socketserver.StreamRequestHandler):
    server: _SmtpServer
    secure = False

    def handle(self) -> None:
        self._recipients: list[str] = []
        self._say("220 test")
        with suppress(OSError):
            # QUIT is answered as a broken server would.
            while line := self.rfile.readline().decode().strip():
                command, _, rest = line.partition(" ")
                getattr(self, f"_{command.lower()}", self._other)(rest)
        if self.secure:
            self.rfile.close()
            self.wfile.close()
            self.connection.close()

    def _ehlo(self, name: str) -> None:
        starttls = ["250-STARTTLS"] if self.server.context and not self.secure else []
        self._say("250-test", *starttls, *(["250-AUTH PLAIN"] if self.secure else []), "250 8BITMIME")

    def _starttls(self, rest: str) -> None:
        assert self.server.context is not None
        self._say("220 go ahead")
        self.connection = self.server.context.wrap_socket(
            self.connection, server_side=True, do_handshake_on_connect=False
        )
        self.secure = True
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)
        self.connection.do_handshake()

    def _auth(self, rest: str) -> None:
        _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
        self.server.receiver.logins.append((user, password))
        self._say("235 welcome" if password == "right" else "535 wrong")

    def _rcpt(self, rest: str) -> None:
        address = rest.partition("<")[2].partition(">")[0]
        self._recipients.append(address)
        self._say("550 nobody" if address in self.server.receiver.refuses else "250 ok")

    def _data(self, rest: str) -> None:
        self._say("354 go on")
        lines = list(iter(self.rfile.readline, b".\r\n"))
        mail = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(mail, EmailMessage)
        receiver = self.server.receiver
        receiver.mails.append(mail)
        receiver.recipients.append(self._recipients)
        receiver.encrypted.append(self.secure)
        self._say("250 taken")

    def _other(self, rest: str) -> None:
        self._say("250 ok")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


@contextmanager
def _running(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="receiver", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        wait_until(lambda: not thread.is_alive())
