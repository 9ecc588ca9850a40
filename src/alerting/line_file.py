"""A log file that never raises: lines that could not be written are counted and said."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alerting.rotating_file import FILES, MAX_BYTES, RotatingFile

SAY_EVERY_SECONDS: Final = 60.0
REMEDY: Final = "make LOG_DIR writable, with room on its disk"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LineFileStatus:
    """What became of a log file's lines.

    Attributes:
        name: the file's name.
        written: lines written.
        lost: lines that could not be written.
        error: why the last write failed and what to do, None when it did not.
        deleted: rotated files deleted to keep the limit.
    """

    name: str
    written: int
    lost: int
    error: str | None
    deleted: int = 0


class LineFile:
    """A rotated file of lines whose trouble stays its own. One thread writes."""

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        files: int = FILES,
        span_seconds: float | None = None,
        say_every: float = SAY_EVERY_SECONDS,
    ) -> None:
        self._file = RotatingFile(path, max_bytes=max_bytes, files=files, span_seconds=span_seconds)
        self._name = path.name
        self._say_every = say_every
        self._said_at = float("-inf")
        self._written = 0
        self._lost = 0
        self._error: str | None = None

    def append(self, lines: list[bytes]) -> None:
        """Append lines (without their newline); counts them as lost when that fails."""
        try:
            self._file.append(b"\n".join([*lines, b""]))
        except OSError as error:
            self._lost += len(lines)
            self._error = f"{error}; {REMEDY}"
            self._say()
        else:
            self._written += len(lines)
            self._error = None

    def status(self) -> LineFileStatus:
        """Return the counters."""
        return LineFileStatus(self._name, self._written, self._lost, self._error, self._file.deleted)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _say(self) -> None:
        now = time.monotonic()
        if now - self._said_at >= self._say_every:
            self._said_at = now
            logger.error("%s: %d lines lost so far: %s", self._name, self._lost, self._error)
