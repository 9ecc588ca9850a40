"""The application log: stdout and LOG_DIR/application.log, through the standard library's logging."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import Final

from alerting.line_file import LineFile, LineFileStatus
from alerting.rotating_file import FILES, MAX_BYTES

NAME: Final = "application.log"


class _Formatter(logging.Formatter):
    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"


class _LineFileHandler(logging.Handler):
    def __init__(self, file: LineFile) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; a disk that is full is the file's trouble, not the caller's."""
        try:
            self._file.append([self.format(record).encode(errors="replace")])
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class ApplicationLog:
    """Sends the root logger's INFO and worse to stdout and to a rotated file while it is open."""

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int = MAX_BYTES,
        files: int = FILES,
        span_seconds: float | None = None,
    ) -> None:
        self._file = LineFile(directory / NAME, max_bytes=max_bytes, files=files, span_seconds=span_seconds)
        self._handlers = (_LineFileHandler(self._file), logging.StreamHandler(sys.stdout))
        self._level_before = logging.NOTSET
        for handler in self._handlers:
            handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def open(self) -> None:
        """Begin to log."""
        root = logging.getLogger()
        self._level_before = root.level
        root.setLevel(logging.INFO)
        for handler in self._handlers:
            root.addHandler(handler)

    def close(self) -> None:
        """Stop logging and leave the root logger as it was."""
        root = logging.getLogger()
        root.setLevel(self._level_before)
        for handler in self._handlers:
            root.removeHandler(handler)
        self._handlers[0].close()

    def status(self) -> LineFileStatus:
        """Return the file's counters."""
        return self._file.status()
