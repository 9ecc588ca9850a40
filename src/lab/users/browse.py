"""Somebody looks at the shop: pages, what belongs to them, and time to read."""

from __future__ import annotations

import httpx

from lab.users.job import Job

PAGES = ("/", "/app/", "/app/search?q=lamp", "/app/search?q=table", "/app/product?id=3", "/news.html")
PARTS = ("/style.css", "/script.js", "/small.png", "/photo.jpg", "/large.jpg")


def run(job: Job) -> None:
    """Browse until the time is up."""
    wanted = job.parameters
    base = f"{'https' if wanted['tls'] else 'http'}://{job.host}"
    while job.left > 0:
        with httpx.Client(base_url=base, verify=False, timeout=10) as client:
            for _ in range(job.rng.randint(1, 6)):
                _page(client, job)
                if not job.think(wanted["think"]):
                    return


def _page(client: httpx.Client, job: Job) -> None:
    close = {} if job.parameters["keep_alive"] else {"Connection": "close"}
    for path in (job.rng.choice(PAGES), *job.rng.sample(PARTS, job.rng.randint(0, 4))):
        try:
            client.get(path, headers=close)
        except httpx.HTTPError:
            return
