"""A web server of files, in this process: ranges, ETags, and connections that break."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class WebFiles:
    """What a web server has, how it behaves, and what it was asked.

    Attributes:
        url: of the server.
        files: content by path.
        breaks: so many bytes into each of the next bodies the connection breaks.
        ranges: False: it knows no ranges.
        versions: False: it names no version of what it sends.
        login: user and password that it wants.
        asked: path and Range header ("" for none) of every request.
        sent: bytes of bodies.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int] = field(default_factory=list)
    ranges: bool = True
    versions: bool = True
    login: tuple[str, str] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: WebFiles

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.web.asked.append((self.path, wanted))
        body = self.web.files.get(self.path)
        if self.web.login and self.headers.get("Authorization") != _basic(*self.web.login):
            self._end(401)
        elif body is None:
            self._end(404)
        else:
            self._send(body, wanted)

    def _send(self, body: bytes, wanted: str) -> None:
        etag = f'"{md5(body).hexdigest()}"'
        if self.web.versions and self.headers.get("If-None-Match") == etag:
            self._end(304)
            return
        start = re.fullmatch(r"bytes=(\d+)-", wanted)
        whole = not start or not self.web.ranges or self.headers.get("If-Range", etag) != etag
        at = 0 if whole or start is None else int(start[1])
        self.send_response(200 if whole else 206)
        if self.web.versions:
            self.send_header("ETag", etag)
        if not whole:
            self.send_header("Content-Range", f"bytes {at}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - at))
        self.end_headers()
        part = body[at : at + self.web.breaks.pop(0)] if self.web.breaks else body[at:]
        self.wfile.write(part)
        self.web.sent += len(part)
        self.close_connection = True

    def _end(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def web_files(port: int = 0) -> Iterator[WebFiles]:
    """Serve files on loopback."""
    web = WebFiles("")
    handler = type("Handler", (_Handler,), {"web": web})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    web.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
