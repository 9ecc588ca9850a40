"""Somebody writes and reads over a websocket."""

from __future__ import annotations

import time

from websockets.sync.client import connect

from lab.services.others import CHAT_PORT
from lab.users.job import Job


def run(job: Job) -> None:
    """Chat until the time is up."""
    with connect(f"ws://{job.host}:{CHAT_PORT}/", proxy=None) as connection:
        while job.left > 0:
            connection.send("word " * job.rng.randint(1, 60))
            until = time.monotonic() + min(job.rng.expovariate(1 / job.parameters["think"]), job.left)
            while (left := until - time.monotonic()) > 0:
                try:
                    connection.recv(timeout=left)
                except TimeoutError:
                    break
