"""Data leave in pieces, as forms that are sent."""

from __future__ import annotations

import httpx

from lab.users.job import Job


def run(job: Job) -> None:
    """Send until all is gone or the time is up."""
    wanted = job.parameters
    base = f"{'https' if wanted['tls'] else 'http'}://{job.host}"
    for _ in range(0, wanted["kilobytes"], wanted["piece"]):
        try:
            with httpx.Client(base_url=base, verify=False, timeout=10) as client:
                client.post("/app/upload", content=job.rng.randbytes(wanted["piece"] * 1000))
        except httpx.HTTPError:
            pass
        if not job.think(wanted["pause"]):
            return
