"""A replica of the API in Ray Serve: `serve run deploy/ray/serve.yaml`.

It is the application of `ml-ids serve` without capture and pages: what requests bring is scored, logged and
alerted on as there.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any, Final

from fastapi import FastAPI
from ray import serve

from inference_server.main import create_app
from inference_server.service import Service
from inference_server.settings import load_settings

Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]
LONGEST_START_SECONDS: Final = 300.0
"""After that the replica answers, like any service without a model, why it has none."""

FOLDER: Final = "replica-{}"
_locks: Final[list[IO[str]]] = []
"""Open as long as the process lives, and a folder is its own."""


def replica_app() -> FastAPI:
    """Return the application with a state of its own, below STATE_DIR and LOG_DIR."""
    settings = load_settings()
    name = own_folder(settings.state_dir)
    more = {"start_cicflowmeter": False, "dashboard": False, "demo": False}
    folders = {"state_dir": settings.state_dir / name, "log_dir": settings.log_dir / name}
    app = create_app(load_settings(**more, **folders))
    app.router.lifespan_context = _until_ready(app.router.lifespan_context)
    return app


def _until_ready(lifespan: Lifespan) -> Lifespan:
    """Let a start last until a model serves, so that Ray sends no request before."""

    @asynccontextmanager
    async def started(app: FastAPI) -> AsyncIterator[Any]:
        async with lifespan(app) as state:
            await asyncio.to_thread(_wait_for_model, app.state.service)
            yield state

    return started


def _wait_for_model(service: Service) -> None:
    deadline = time.monotonic() + LONGEST_START_SECONDS
    while service.worker.scorer is None and time.monotonic() < deadline:
        time.sleep(0.1)


def own_folder(below: Path) -> str:
    """Return the first folder that no other process has: what a replica left, the next goes on with.

    Raises:
        OSError: none can be made.
    """
    for number in count():
        folder = below / FOLDER.format(number)
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            continue
        lock.write(str(os.getpid()))
        lock.flush()
        _locks.append(lock)
        return folder.name
    raise AssertionError("never ends")


app = serve.deployment(name="scoring")(serve.ingress(replica_app)()).bind()
