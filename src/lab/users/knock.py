"""A program whose configuration is wrong: nobody listens, or nobody is there."""

from __future__ import annotations

import socket

from lab.users.job import Job

PORTS = (8080, 8443, 3306, 5432, 5672, 9092, 11211, 27017)


def run(job: Job) -> None:
    """Try one port again and again."""
    wanted = job.parameters
    port = job.rng.choice(PORTS)
    kind = socket.SOCK_DGRAM if wanted["datagrams"] else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in job.address else socket.AF_INET
    for _ in range(wanted["tries"]):
        with socket.socket(family, kind) as made:
            made.settimeout(wanted["time_out"])
            try:
                made.connect((job.address, port))
                made.send(job.rng.randbytes(job.rng.randint(20, 300)))
                made.recv(1000)
            except OSError:
                pass
        if not job.think(wanted["pause"]):
            return
