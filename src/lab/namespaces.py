"""Network namespaces and folders that carry the process that made them in their name: none is forgotten."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

PREFIX: Final = "ml-ids-lab"
RUN: Final = Path("/run/netns")
ETC: Final = Path("/etc/netns")
IP_SECONDS: Final = 30


def ip(*arguments: str) -> str:
    """Run iproute2's `ip`; return what it prints.

    Raises:
        OSError: it fails.
    """
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, timeout=IP_SECONDS, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def own_name(host: str) -> str:
    """Return what this process calls the namespace of a host."""
    return f"{PREFIX}.{os.getpid()}.{_started(os.getpid())}.{host}"


def add(name: str) -> None:
    """Make a namespace whose loopback is up.

    Raises:
        OSError: namespaces are not allowed.
    """
    ip("netns", "add", name)
    ip("-n", name, "link", "set", "lo", "up")


def inside(name: str, command: Sequence[str]) -> list[str]:
    """Return the command line that runs a command in a namespace."""
    return ["ip", "netns", "exec", name, *command]


def listening(name: str) -> set[tuple[str, int]]:
    """Return protocol and port of what listens in a namespace."""
    done = subprocess.run(
        inside(name, ["ss", "-Hltun"]), capture_output=True, text=True, timeout=30, check=True
    )
    lines = (line.split() for line in done.stdout.splitlines())
    return {(fields[0], int(fields[4].rpartition(":")[2])) for fields in lines}


def etc(name: str) -> Path:
    """Return the folder whose files a namespace's processes see in /etc."""
    folder = ETC / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def remove(name: str) -> None:
    """End what runs in a namespace, remove it and the files of its /etc; or remove a folder."""
    if (RUN / name).exists():
        _end_processes(name)
        ip("netns", "delete", name)
    for place in (ETC, Path(tempfile.gettempdir())):
        shutil.rmtree(place / name, ignore_errors=True)


def folder() -> Path:
    """Make a folder for what the lab's processes write, under /tmp; `remove_own` removes it."""
    made = Path(tempfile.mkdtemp(prefix=own_name("")))
    # Services that give up root look into it.
    made.chmod(0o755)
    return made


def remove_leftovers() -> list[str]:
    """Remove the namespaces and folders of processes that are no more; return their names."""
    found = sorted(name for name in _here() if name.startswith(f"{PREFIX}.") and not _is_alive(name))
    for name in found:
        remove(name)
    return found


def remove_own() -> None:
    """Remove every namespace and folder that this process made."""
    own = own_name("")
    # Folders last: nobody writes any more.
    for name in sorted(_here(), key=lambda name: (not (RUN / name).exists(), name)):
        if name.startswith(own):
            remove(name)


def _here() -> set[str]:
    places = (RUN, ETC, Path(tempfile.gettempdir()))
    return {entry.name for place in places if place.is_dir() for entry in place.iterdir()}


def _end_processes(name: str) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(20):
            found = [int(pid) for pid in ip("netns", "pids", name).split()]
            if not found:
                return
            for pid in found:
                _kill(pid, number)
            time.sleep(0.05)


def _kill(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_alive(name: str) -> bool:
    """Whether the process that a name carries still runs; a later one of the same number does not count."""
    parts = name.split(".")
    if len(parts) < 4 or not parts[1].isdigit():
        return False
    try:
        return _started(int(parts[1])) == parts[2]
    except OSError:
        return False


def _started(pid: int) -> str:
    """Return when a process began, in clock ticks since the boot."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
