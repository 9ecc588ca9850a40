"""People and machines with an account: shells, copies, backups, files."""

from __future__ import annotations

import random
import shlex
from typing import Final

from pydantic import Field

from lab.activities.kind import BENIGN, Kind, Parameters, Talk, Task, user_command
from lab.programs import Program
from lab.services.accounts import PASSWORD, USER
from lab.services.openssh import BULK, CLIENT_KEY
from lab.services.vsftpd import PASSIVE

SSHPASS: Final = Program("sshpass", "sshpass")
SSH: Final = Program("ssh", "openssh-client")
SHELL: Final = (Talk("tcp", (22,)),)
FILES: Final = (Talk("tcp", (21, *range(PASSIVE[0], PASSIVE[1] + 1))),)


class Session(Parameters):
    """Somebody works in a shell.

    Attributes:
        commands: how many.
        think: mean seconds between them.
        by_key: logs in by key, not by password.
        typos: wrong passwords before the right one.
    """

    commands: int = Field(8, ge=1, le=200)
    think: float = Field(0.8, ge=0.01, le=30)
    by_key: bool = True
    typos: int = Field(0, ge=0, le=2)


class Copy(Parameters):
    """A file is copied.

    Attributes:
        kilobytes: its size.
        rate: kilobits a second at most.
        fetch: from the server rather than to it; then it is as large as the server's.
    """

    kilobytes: int = Field(500, ge=1, le=20_000)
    rate: int = Field(20_000, ge=10, le=1_000_000)
    fetch: bool = False


class Files(Parameters):
    """Somebody fetches and leaves files.

    Attributes:
        files: how many.
        think: mean seconds between them.
        anonymous: without an account.
    """

    files: int = Field(4, ge=1, le=40)
    think: float = Field(0.5, ge=0.01, le=30)
    anonymous: bool = False


def _options(task: Task, *, by_key: bool) -> list[str]:
    key = task.lab / task.target / "openssh" / CLIENT_KEY
    wanted = {
        "StrictHostKeyChecking": "no",
        "UserKnownHostsFile": "/dev/null",
        "ConnectTimeout": "5",
        "PreferredAuthentications": "publickey" if by_key else "password",
    }
    pairs = [word for name, value in wanted.items() for word in ("-o", f"{name}={value}")]
    return [*pairs, "-F", "none", *(("-i", str(key)) if by_key else ())]


def _logged_in(command: list[str], *, by_key: bool, password: str = PASSWORD) -> list[str]:
    return command if by_key else ["sshpass", "-p", password, *command]


def shell(task: Task) -> list[str]:
    """Log in, after some typing errors, and do this and that."""
    wanted: Session = task.parameters
    rng = random.Random(task.seed)
    typed = ("ls -la /", "id", "uptime", "cat /etc/services", "df", "ps ax", "date", "head -c 3000 /dev/zero")
    lines = [
        f"{rng.choice(typed)}; sleep {min(rng.expovariate(1 / wanted.think), 20):.2f}"
        for _ in range(wanted.commands)
    ]
    ssh = ["ssh", *_options(task, by_key=wanted.by_key), f"{USER}@{task.address}", "; ".join(lines)]
    right = _logged_in(ssh, by_key=wanted.by_key)
    if wanted.by_key or not wanted.typos:
        return right
    wrong = _logged_in([*ssh[:-1], "true"], by_key=False, password="sumer2019")
    script = task.place / "login.sh"
    script.write_text(
        "\n".join([*[shlex.join(wrong)] * wanted.typos, "sleep 1", f"exec {shlex.join(right)}"])
    )
    return ["sh", str(script)]


def copy(task: Task) -> list[str]:
    """Copy with scp; a backup is a large copy."""
    wanted: Copy = task.parameters
    file = task.place / "copy.bin"
    scp = ["scp", "-q", "-l", str(wanted.rate), *_options(task, by_key=True)]
    there = f"{USER}@{task.in_url}:"
    if wanted.fetch:
        return [*scp, there + BULK, str(file)]
    file.write_bytes(random.Random(task.seed).randbytes(wanted.kilobytes * 1000))
    return [*scp, str(file), f"{there}copy-{task.seed}.bin"]


KINDS: Final = (
    Kind("shell", BENIGN, SSHPASS, Session, shell, SHELL, "openssh"),
    Kind("copy", BENIGN, SSH, Copy, copy, SHELL, "openssh"),
    Kind("files", BENIGN, None, Files, user_command("files"), FILES, "vsftpd"),
)
