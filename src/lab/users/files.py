"""Somebody fetches and leaves files over FTP."""

from __future__ import annotations

import contextlib
from ftplib import FTP, error_perm
from io import BytesIO

from lab.services.accounts import PASSWORD, USER
from lab.users.job import Job


def run(job: Job) -> None:
    """Transfer files with time to think."""
    wanted = job.parameters
    with FTP(timeout=15) as server:
        server.connect(job.address)
        if wanted["anonymous"]:
            server.login()
        else:
            server.login(USER, PASSWORD)
        for number in range(wanted["files"]):
            names = server.nlst()
            if wanted["anonymous"]:
                server.retrbinary(f"RETR {job.rng.choice(names)}", bytes)
            else:
                content = BytesIO(job.rng.randbytes(job.rng.randint(1_000, 300_000)))
                server.storbinary(f"STOR note-{number}.bin", content)
            if job.rng.random() < 0.1:
                with contextlib.suppress(error_perm):
                    server.size("not-there.bin")
            if not job.think(wanted["think"]):
                return
