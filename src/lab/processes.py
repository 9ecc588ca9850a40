"""Processes on the lab's hosts: they end when they are told to, and with the lab at the latest."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from lab import namespaces
from lab.programs import PLACES

PATIENCE: Final = 2.0
_DEATH_SIGNAL: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Running:
    """A process, and those that it starts, on one host."""

    def __init__(self, namespace: str, command: Sequence[str], place: Path, name: str) -> None:
        """Start it in a folder; what it says goes into NAME.log there.

        Raises:
            OSError: it cannot be started.
        """
        self.name = name
        self.log = place / f"{name}.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                namespaces.inside(namespace, command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=place,
                env=environment(place),
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def code(self) -> int | None:
        """How it ended; None as long as it runs."""
        return self._process.poll()

    def stop(self, first: int = signal.SIGTERM) -> None:
        """End it and its children: asked first, then made to."""
        for number in (first, signal.SIGKILL):
            if self._process.poll() is not None:
                break
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE)
        # The first may have gone without its children.
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def said(self) -> str:
        """Return the last line that it printed."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def environment(place: Path) -> dict[str, str]:
    """Return the environment of the lab's processes: no proxy, no credentials, no settings of a user."""
    kept = {name: os.environ[name] for name in ("PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    path = os.environ.get("PATH", "") + os.pathsep + PLACES
    return kept | {
        "PATH": path,
        "HOME": str(place),
        "LANG": "C.UTF-8",
        "TMPDIR": str(place),
        "PYTHONUNBUFFERED": "1",
    }


def _end_with_parent() -> None:
    _libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
