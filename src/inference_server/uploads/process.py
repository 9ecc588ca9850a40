"""Running the process that analyses an upload, and hearing what it tells."""

from __future__ import annotations

import logging
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from typing import Any, Final

import orjson

from inference_server.uploads import analysis
from inference_server.uploads.analysis import Job

TOLD_OF_FAILURE: Final = 2000
logger = logging.getLogger(__name__)


class AnalysisProcess:
    """One process for one job."""

    def __init__(self, job: Job, seconds: float) -> None:
        """Start the process, which may run for `seconds`.

        Raises:
            OSError: no process can be started.
        """
        self._name = job.name
        self._seconds = seconds
        self._why_killed: str | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `hear`
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", analysis.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(job.model_dump_json().encode())
            self._process.stdin.close()
        except BrokenPipeError:
            pass  # its exit code says more

    def hear(self, on_change: Callable[[dict[str, Any]], None]) -> str | None:
        """Wait for its end; return why it failed, None when it did not.

        Args:
            on_change: called with fields of the Upload that changed.
        """
        assert self._process.stdout is not None
        timer = threading.Timer(self._seconds, self.kill, [self._took_too_long()])
        timer.daemon = True
        timer.start()
        error: str | None = None
        try:
            for line in self._process.stdout:
                change = orjson.loads(line)
                error = change.pop("error", error)
                on_change(change)
            status = self._process.wait()
        finally:
            timer.cancel()
            self.kill("nobody listens")
            self._process.wait()
            self._process.stdout.close()
        with self._stderr as stderr:
            stderr.seek(0)
            told = stderr.read()[-TOLD_OF_FAILURE:].decode(errors="replace")
        if self._why_killed:
            return self._why_killed
        if status:
            logger.error("the analysis of %s ended with %d: %s", self._name, status, told)
            return error or f"the analysis ended with exit code {status}; the service's log has its words"
        if told:
            logger.warning("the analysis of %s: %s", self._name, told)
        return error

    def kill(self, why: str) -> None:
        """End the process at once, if it still runs."""
        if self._process.poll() is None:
            self._why_killed = why
            self._process.kill()

    def _took_too_long(self) -> str:
        return f"the analysis took longer than {self._seconds:g} s: send parts, or raise UPLOAD_MAX_SECONDS"
