"""A monitoring system: every host, some ports, a page where there is one."""

from __future__ import annotations

import socket

import httpx

from lab.users.job import Job

PORTS = (80, 22, 443, 25, 21, 53, 6379, 5201, 3306, 8080, 161, 5432)


def run(job: Job) -> None:
    """Look until the time is up."""
    ports = PORTS[: job.parameters["ports"]]
    while job.left > 0:
        for host in job.others:
            for port in ports:
                _look(host, port)
            if job.left <= 0:
                return
        if not job.think(job.parameters["every"]):
            return


def _look(host: str, port: int) -> None:
    try:
        if port == 80:
            httpx.get(f"http://{f'[{host}]' if ':' in host else host}/index.html", timeout=2)
        else:
            with socket.create_connection((host, port), timeout=1):
                pass
    except (OSError, httpx.HTTPError):
        return
