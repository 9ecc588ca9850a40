"""A machine looks names up, some of which nobody has."""

from __future__ import annotations

import contextlib
import socket

from lab.services.dnsmasq import ANY_ZONE, ZONE
from lab.users.job import Job

NAMES = ("web", "mail", "shell", "files", "base", "user-1", "user-2")


def run(job: Job) -> None:
    """Ask until the time is up."""
    while job.left > 0:
        name = f"{job.rng.choice(NAMES)}.{ZONE}"
        if job.rng.random() < job.parameters["unknown"]:
            name = f"missing-{job.rng.randint(1, 99)}.{ZONE}"
        elif job.rng.random() < 0.3:
            name = f"{job.rng.choice('abcdef')}{job.rng.randint(1, 999)}.{ANY_ZONE}"
        with contextlib.suppress(socket.gaierror):
            socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
        if not job.think(job.parameters["think"]):
            return
