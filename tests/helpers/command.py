"""The service as a process of its own, started the way its users start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from helpers.server import wait_until

BIN = Path(sys.executable).parent


@dataclass
class Command:
    """A running service: its process, its URL and where its output goes."""

    process: subprocess.Popen[bytes]
    url: str
    output: Path

    def stop(self, number: signal.Signals = signal.SIGINT) -> float:
        """Send a signal and return how many seconds the process took to end."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(60)
        return time.monotonic() - began

    def ready(self) -> bool:
        """Whether /ready answers 200."""
        return httpx.get(f"{self.url}/ready", timeout=60).status_code == 200


@contextmanager
def running(arguments: list[str], folder: Path, **environment: str) -> Iterator[Command]:
    """Run a command of this environment in `folder`; yields once it answers requests."""
    output = folder / "output.txt"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [BIN / arguments[0], *arguments[1:]],
            cwd=folder,
            env=os.environ
            | {"STATE_DIR": str(folder / "var"), "LOG_DIR": str(folder / "logs")}
            | environment,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until(lambda: _address(output) or process.poll() is not None)
        address = _address(output)
        assert address, output.read_text()
        yield Command(process, address, output)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(60)


def _address(output: Path) -> str | None:
    text = output.read_text()
    found = re.search(r"(?:ML-IDS|running) on (https?://\S+)", text)
    return found[1] if found and "startup complete" in text else None
