"""Somebody watches a film: a piece now and then over one connection, as players fetch them."""

from __future__ import annotations

import httpx

from lab.users.job import Job


def run(job: Job) -> None:
    """Watch until the time is up."""
    wanted = job.parameters
    base = f"{'https' if wanted['tls'] else 'http'}://{job.host}"
    with httpx.Client(base_url=base, verify=False, timeout=20) as client:
        at = 0
        while job.left > 0:
            size = int(wanted["piece"] * 1000 * job.rng.uniform(0.6, 1.4))
            client.get("/film.mp4", headers={"Range": f"bytes={at}-{at + size - 1}"})
            at = (at + size) % 5_000_000
            if not job.think(wanted["every"]):
                return
