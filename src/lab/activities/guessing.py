"""Guessing passwords with hydra and patator: shells, files, forms."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import Field

from lab.activities.kind import ANY, ANY_CODE, Kind, Parameters, Task
from lab.programs import Program
from lab.services.accounts import USER

HYDRA: Final = Program("hydra", "hydra")
PATATOR: Final = Program("patator", "patator")
SERVICES: Final = {"ssh": "openssh", "ftp": "vsftpd", "http": "nginx"}


class Guesses(Parameters):
    """A list of passwords, all of them wrong.

    Attributes:
        passwords: how many.
        at_once: connections.
    """

    passwords: int = Field(60, ge=1, le=2000)
    at_once: int = Field(4, ge=1, le=16)


def _list(task: Task) -> Path:
    rng = random.Random(task.seed)
    file = task.place / "passwords.txt"
    words = ["".join(rng.choices(string.ascii_lowercase + string.digits, k=rng.randint(5, 14)))
             for _ in range(task.parameters.passwords)]  # fmt: skip
    file.write_text("\n".join(words) + "\n")
    return file


def hydra(task: Task, service: str, *options: str) -> list[str]:
    """Guess with hydra."""
    wanted: Guesses = task.parameters
    guesses = ("-l", USER, "-P", str(_list(task)), "-t", str(wanted.at_once))
    family = ("-6",) if ":" in task.address else ()
    # It writes a file to go on with into the folder it is in, which is a folder of its own.
    return ["hydra", "-I", *guesses, *family, task.address, service, *options]


def patator(task: Task, module: str, *options: str) -> list[str]:
    """Guess with patator."""
    wanted: Guesses = task.parameters
    return ["patator", module, *options, f"0={_list(task)}", "-t", str(wanted.at_once), "--max-retries=0"]


def hydra_ssh(task: Task) -> list[str]:
    """Guess a shell's password."""
    return hydra(task, "ssh")


def hydra_ftp(task: Task) -> list[str]:
    """Guess a file server's password."""
    return hydra(task, "ftp")


def hydra_form(task: Task) -> list[str]:
    """Guess the password of a form."""
    return hydra(task, "http-post-form", "/app/login:user=^USER^&password=^PASS^:wrong password")


def patator_ssh(task: Task) -> list[str]:
    """Guess a shell's password."""
    return patator(task, "ssh_login", f"host={task.address}", f"user={USER}", "password=FILE0")


def patator_ftp(task: Task) -> list[str]:
    """Guess a file server's password."""
    return patator(task, "ftp_login", f"host={task.address}", f"user={USER}", "password=FILE0")


def patator_form(task: Task) -> list[str]:
    """Guess the password of a form."""
    # Without a name to resolve the libraries of today refuse the empty one that it passes on.
    form = (f"resolve={task.address}:{task.address}", "method=POST", "body=user=anna&password=FILE0")
    return patator(task, "http_fuzz", f"url=http://{task.in_url}/app/login", *form)


def _kind(
    name: str, label: str, program: Program, command: Callable[[Task], list[str]], service: str
) -> Kind:
    # Patator takes an IPv6 address for a file server alone.
    ipv6 = program is HYDRA or command is patator_ftp
    return Kind(name, label, program, Guesses, command, ANY, SERVICES[service], ipv6, codes=ANY_CODE)


FORM: Final = "Web Attack - Brute Force"
KINDS: Final = (
    _kind("hydra-ssh", "SSH-Patator", HYDRA, hydra_ssh, "ssh"),
    _kind("hydra-ftp", "FTP-Patator", HYDRA, hydra_ftp, "ftp"),
    _kind("hydra-form", FORM, HYDRA, hydra_form, "http"),
    _kind("patator-ssh", "SSH-Patator", PATATOR, patator_ssh, "ssh"),
    _kind("patator-ftp", "FTP-Patator", PATATOR, patator_ftp, "ftp"),
    _kind("patator-form", FORM, PATATOR, patator_form, "http"),
)
