"""A queue that fails, hangs and forgets what it took, by chance: an HTTP server that a webhook posts to."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

MESSAGE_ID: Final = "X-ML-IDS-Message-Id"


class WildQueue:
    """What it took, and how it behaves.

    Attributes:
        url: where to post.
        wild: it misbehaves.
        taken: how often each message was taken, by id.
        contents: what each message said, by id: one body each, if duplicates are duplicates.
    """

    def __init__(self, seed: int) -> None:
        self.url = ""
        self.wild = True
        self.taken: Counter[str] = Counter()
        self.contents: dict[str, set[bytes]] = {}
        self._lock = threading.Lock()
        self._random = random.Random(seed)

    def take(self, message_id: str, body: bytes) -> None:
        with self._lock:
            self.taken[message_id] += 1
            self.contents.setdefault(message_id, set()).add(body)

    def mood(self) -> str:
        with self._lock:
            if not self.wild:
                return "well"
            moods, weights = ("well", "refuses", "forgets", "hangs", "hangs up"), (70, 10, 10, 3, 7)
            return self._random.choices(moods, weights)[0]


@contextmanager
def wild_queue(seed: int = 0) -> Iterator[WildQueue]:
    """Run one."""
    queue = WildQueue(seed)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(length)
            if len(body) < length:  # the sender was killed in the middle: nothing was posted
                self.close_connection = True
                return
            mood = queue.mood()
            if mood == "hangs up":
                self.close_connection = True
                return
            if mood == "hangs":
                time.sleep(1)
            if mood != "refuses":
                queue.take(self.headers[MESSAGE_ID], body)
            self.send_response(200 if mood in ("well", "hangs") else 503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    queue.url = f"http://127.0.0.1:{server.server_port}/queue"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield queue
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
