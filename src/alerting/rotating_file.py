"""A file of lines that is rotated by size and survives another program's rotation."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 100_000_000
FILES: Final = 10
MODE: Final = 0o640


class RotatingFile:
    """Appends whole lines to `path`; at `max_bytes` the file becomes `path.1`, and so on.

    At most `files` files are kept, the current one included. A file that was moved or removed by
    somebody else (logrotate) is opened anew. With `span_seconds` no file has lines of two spans of so many
    seconds since 1970, so that the old ones can be deleted by their age. Not thread-safe: one thread writes.

    Attributes:
        path: the current file.
        deleted: files deleted to keep no more than `files`.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        files: int = FILES,
        span_seconds: float | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.deleted = 0
        self._span = span_seconds
        self._now = now
        self._max_bytes = max_bytes
        self._files = files
        self._descriptor: int | None = None

    def append(self, lines: bytes) -> None:
        """Append complete lines in one write; all of them or none.

        Raises:
            OSError: the lines were not written (disk full, no permission, ...).
        """
        descriptor = self._current()
        stat = os.fstat(descriptor)
        size = stat.st_size
        if size and (size + len(lines) > self._max_bytes or self._is_of_another_span(stat.st_mtime)):
            self._rotate()
            descriptor, size = self._current(), 0
        written = os.write(descriptor, lines)
        if written < len(lines):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _current(self) -> int:
        if self._descriptor is not None and not self._is_at_path(self._descriptor):
            self.close()
        if self._descriptor is None:
            self._descriptor = self._open()
        return self._descriptor

    def _is_of_another_span(self, written: float) -> bool:
        return self._span is not None and written // self._span != self._now() // self._span

    def _is_at_path(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            descriptor = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, MODE)
            os.fchmod(descriptor, MODE)
        except FileExistsError:
            descriptor = os.open(self.path, flags)
            _end_torn_line(descriptor)
        return descriptor

    def _rotate(self) -> None:
        self.close()
        self.deleted += self._numbered(self._files - 1).exists()
        for number in range(self._files - 1, 0, -1):
            source = self._numbered(number - 1)
            if source.exists():
                source.replace(self._numbered(number))
        if self._files == 1:
            self.path.unlink()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}") if number else self.path


def rotated_files(path: Path, files: int = FILES) -> list[Path]:
    """Return a file and those it became by rotation, whether or not they are there."""
    return [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, files))]


def _end_torn_line(descriptor: int) -> None:
    # A power failure can leave half a line; what follows must not be glued to it.
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        os.write(descriptor, b"\n")
