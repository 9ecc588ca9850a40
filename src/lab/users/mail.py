"""Somebody sends mail, some with something attached."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from lab.users.job import Job


def run(job: Job) -> None:
    """Send until the time is up."""
    while job.left > 0:
        with smtplib.SMTP(job.address, 25, "user.lab.test", timeout=10) as server:
            for _ in range(job.rng.randint(1, 3)):
                server.send_message(_letter(job))
        if not job.think(job.parameters["think"]):
            return


def _letter(job: Job) -> EmailMessage:
    letter = EmailMessage()
    letter["From"], letter["To"] = "anna@lab.test", "bert@lab.test"
    letter["Subject"] = "word " * job.rng.randint(1, 8)
    letter.set_content("all work and no play\n" * job.rng.randint(2, 80))
    if job.rng.random() < 0.3:
        size = job.rng.randint(1, job.parameters["attachments"]) * 1000
        letter.add_attachment(
            job.rng.randbytes(size), maintype="application", subtype="pdf", filename="a.pdf"
        )
    return letter
