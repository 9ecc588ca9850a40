"""What every request pays for its id, limits, headers and line in the access log, and for its key."""

from __future__ import annotations

import asyncio
import secrets
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.append(sys.path.pop(0))  # alerting.py beside this file is called like a package of the project

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference_server.settings import load_settings
from inference_server.web.access_log import AccessLog
from inference_server.web.api_keys import Role
from inference_server.web.auth import KeyCheck
from inference_server.web.edge import Edge
from inference_server.web.http_traffic import HttpTraffic

REQUESTS = 20_000
RUNS = 9
KEY = secrets.token_hex(20)
HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"bench"),
    (b"content-type", b"application/json"),
    (b"content-length", b"1800"),
    (b"x-api-key", KEY.encode()),
]


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


async def discard(message: Message) -> None:
    pass


async def nothing() -> Message:
    return {"type": "http.disconnect"}


def scope_of(app: Any) -> Scope:
    return {
        **{"type": "http", "method": "POST", "path": "/predict", "scheme": "http", "headers": HEADERS},
        **{"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "app": app, "state": {}},
    }


async def microseconds(app: ASGIApp, traffic: HttpTraffic | None) -> float:
    """Return what a request takes, of the fastest run."""
    about = SimpleNamespace(state=SimpleNamespace(service=SimpleNamespace(http=traffic)))
    runs = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for _ in range(REQUESTS):
            await app(scope_of(about), nothing, discard)
        runs.append((time.perf_counter() - began) / REQUESTS * 1e6)
        await asyncio.sleep(0.5)
    return min(runs)


def key_microseconds(entries: str) -> float:
    """Return what looking at a request's key takes, of the fastest run."""
    check = KeyCheck(load_settings(api_keys=entries))
    runs = []
    for _ in range(RUNS):
        began = time.perf_counter()
        for _ in range(REQUESTS):
            check.require(Request(scope_of(None)), Role.PREDICT)
        runs.append((time.perf_counter() - began) / REQUESTS * 1e6)
    return min(runs)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = AccessLog(Path(folder))
        log.start()
        without = asyncio.run(microseconds(bare, None))
        rows = [
            ("id, limits, headers", asyncio.run(microseconds(Edge(bare), HttpTraffic(256))) - without),
            ("and the access log", asyncio.run(microseconds(Edge(bare), HttpTraffic(256, log))) - without),
            ("key check without keys", key_microseconds("")),
            ("of 2 keys", key_microseconds(f"other,{KEY}")),
            ("of 20 keys", key_microseconds(",".join([*(f"other-{n}" for n in range(19)), KEY]))),
        ]
        log.stop(10)
    print("| what | us a request |\n| --- | ---: |")
    for what, cost in rows:
        print(f"| {what} | {cost:.1f} |")


if __name__ == "__main__":
    main()
