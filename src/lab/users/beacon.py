"""A taken host asks for orders every so often, and reports."""

from __future__ import annotations

import time

import httpx

from lab.users.job import Job


def run(job: Job) -> None:
    """Ask until the time is up; a connection each time."""
    wanted = job.parameters
    base = f"{'https' if wanted['tls'] else 'http'}://{job.host}"
    while job.left > 0:
        try:
            with httpx.Client(base_url=base, verify=False, timeout=5) as client:
                client.get("/app/comments")
                if job.rng.random() < 0.3:
                    client.post(
                        "/app/report", content=job.rng.randbytes(job.rng.randint(0, wanted["answers"]))
                    )
        except httpx.HTTPError:
            pass
        spread = wanted["every"] * wanted["jitter"]
        time.sleep(max(0.0, min(wanted["every"] + job.rng.uniform(-spread, spread), job.left)))
