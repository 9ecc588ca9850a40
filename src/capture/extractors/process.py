"""The extractor's process as its parent sees it: lines of JSON, and why it ended."""

from __future__ import annotations

import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import orjson

from capture.extractors.environment import Environment

_COMPLAINTS: Final = 20


class ExtractorProcess:
    """A running worker. It ends with its parent, however that ends: its input does."""

    def __init__(self, environment: Environment, *arguments: str) -> None:
        """Start it.

        Args:
            environment: where cicflowmeter is installed.
            arguments: the worker's: `file` and a path, or `live`, an interface and how to open it.

        Raises:
            OSError: it cannot be started.
        """
        self._problem: str | None = None
        self._complaints: deque[str] = deque(maxlen=_COMPLAINTS)
        self._process = subprocess.Popen(
            environment.command(*arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._listener = threading.Thread(target=self._listen, name="extractor-stderr", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield its lines until it ends, problems apart.

        Raises:
            ValueError: a line is no JSON.
        """
        assert self._process.stdout is not None
        for line in self._process.stdout:
            fields: dict[str, Any] = orjson.loads(line)
            if fields["kind"] == "problem":
                self._problem = f"{fields['type']}: {fields['text']}"
            else:
                yield fields

    def request_stop(self) -> None:
        """Ask it to write the flows that are still open, and to end."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def close(self) -> str | None:
        """Wait for its end; return why it failed, None when it did not."""
        self.request_stop()
        code = self._process.wait()
        self._listener.join()
        assert self._process.stdout is not None
        self._process.stdout.close()
        if code == 0:
            return None
        last = self._complaints[-1] if self._complaints else "no message"
        return self._problem or f"ended with code {code}: {last}"

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as stream:
            for line in stream:
                self._complaints.append(line.decode(errors="replace").rstrip())
