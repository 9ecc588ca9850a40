"""Writing the archive of scored flows: parts, hours made of them, and its limit."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flows.archive import SUFFIX, ArchivedHour, archived_hours, parts
from flows.parquet_files import ParquetFlowReader, ParquetFlowWriter
from flows.table import FlowTable

MAX_PARTS: Final = 256
"""Parts of which one file is made; a reader has as many open."""

ROWS_A_GROUP: Final = 1 << 15
DIRECTORY_MODE: Final = 0o750
UNFINISHED: Final = ".unfinished-"
LOCK: Final = ".lock"
_END: Final = b"PAR1"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ArchiveContents:
    """What an archive holds.

    Attributes:
        files: how many files of flows.
        bytes: their size.
        oldest: the hour of the oldest, UTC, such as 2026-11-21T14; None without any.
    """

    files: int
    bytes: int
    oldest: str | None


class ArchiveWriter:
    """Writes an archive's files; one writer an archive, one thread a writer.

    Attributes:
        deleted: files deleted so far to keep the limit.
    """

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self._directory = directory
        self._limit = limit_bytes
        self._lock: int | None = None
        self._current: ArchivedHour | None = None
        self._current_like: FlowTable | None = None
        self.deleted = 0

    def write(self, table: FlowTable, hour: str) -> None:
        """Write a part: whole and on disk when this returns, or not there at all.

        Raises:
            OSError: it cannot be written, or another process writes this archive.
        """
        self._open()
        folder = self._place(table, hour).folder(self._directory)
        folder.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
        there = parts(folder)
        number = int(there[-1].stem) + 1 if there else 1
        _write_whole(folder / f"{number:04}{SUFFIX}", iter([table]))

    def finish(self, now: str) -> None:
        """Put the hours before `now` together, then delete what is above the limit.

        Raises:
            OSError: that cannot be done; nothing is lost by it.
        """
        self._open()
        for hour in archived_hours(self._directory):
            if hour.hour != now:
                self._put_together(hour)
        self._keep_limit()

    def has_parts(self) -> bool:
        """Return whether an hour is waiting to be put together."""
        return self._current is not None and self._current.folder(self._directory).exists()

    def contents(self) -> ArchiveContents:
        """Look at the files; an archive that is not there holds none."""
        found = list(_sizes(self._directory))
        oldest = found[0][0].hour if found else None
        return ArchiveContents(len(found), sum(size for _, _, size in found), oldest)

    def close(self) -> None:
        """Let another process write the archive."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> None:
        """Lock the directory and clear away what a crash left."""
        if self._lock is not None:
            return
        self._directory.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        lock = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise OSError(f"{self._directory}: another process writes this archive") from None
        self._lock = lock
        for path in self._directory.glob(f"**/{UNFINISHED}*"):
            path.unlink()
        for hour in archived_hours(self._directory):
            file, folder = hour.file(self._directory), hour.folder(self._directory)
            for path in (file, *parts(folder)):
                _clear_away_torn(path)
            if file.exists():
                _delete_parts(folder)

    def _place(self, table: FlowTable, hour: str) -> ArchivedHour:
        """Return where a table goes: on with what is like it, or to a file of its own."""
        place = self._last(hour)
        if place is None:
            place = ArchivedHour(hour)
        elif place.file(self._directory).exists() or not self._takes(place, table):
            place = ArchivedHour(hour, place.number + 1)
        self._current, self._current_like = place, table.take(slice(0, 0))
        return place

    def _last(self, hour: str) -> ArchivedHour | None:
        if self._current is not None and self._current.hour == hour:
            return self._current
        return max((there for there in archived_hours(self._directory) if there.hour == hour), default=None)

    def _takes(self, place: ArchivedHour, table: FlowTable) -> bool:
        there = parts(place.folder(self._directory))
        if len(there) >= MAX_PARTS:
            return False
        like = self._current_like if place == self._current else None
        if like is None and there:
            try:
                with ParquetFlowReader(there[-1]) as reader:
                    like = reader.empty()
            except ValueError:
                return False
        return like is None or _kind(like) == _kind(table)

    def _put_together(self, hour: ArchivedHour) -> None:
        folder, file = hour.folder(self._directory), hour.file(self._directory)
        there = parts(folder)
        if there and not file.exists():
            _write_whole(file, _tables(there))
        _delete_parts(folder)

    def _keep_limit(self) -> None:
        found = list(_sizes(self._directory))
        surplus = sum(size for _, _, size in found) - self._limit
        for hour, path, size in found:
            if surplus <= 0:
                break
            path.unlink(missing_ok=True)
            self.deleted += 1
            surplus -= size
            _delete_if_empty(hour.folder(self._directory))


def _kind(table: FlowTable) -> tuple[Any, ...]:
    """Return what all tables of one file share."""
    return table.feature_names, table.dialect, table.sensor, table.interface, sorted(table.extras)


def _sizes(directory: Path) -> Iterator[tuple[ArchivedHour, Path, int]]:
    """Yield an archive's files, oldest first."""
    if directory.is_dir():
        for hour in archived_hours(directory):
            for path in hour.files(directory):
                with suppress(FileNotFoundError):  # deleted meanwhile, for its age
                    yield hour, path, path.stat().st_size


def _tables(files: list[Path]) -> Iterator[FlowTable]:
    for path in files:
        try:
            with ParquetFlowReader(path) as reader:
                yield from reader.tables()
        except ValueError as error:
            logger.warning("left out: %s", error)


def _write_whole(path: Path, tables: Iterator[FlowTable]) -> None:
    unfinished = path.with_name(f"{UNFINISHED}{path.name}")
    try:
        with ParquetFlowWriter(unfinished, rows_a_group=ROWS_A_GROUP) as writer:
            for table in tables:
                writer.write(table)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _delete_parts(folder: Path) -> None:
    for path in parts(folder):
        path.unlink()
    _delete_if_empty(folder)


def _delete_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not, or there is none
        folder.rmdir()


def _clear_away_torn(path: Path) -> None:
    """Delete a file that is not whole, as a power failure can leave it; not one of another version."""
    try:
        with path.open("rb") as file:
            end = os.pread(file.fileno(), len(_END), max(path.stat().st_size - len(_END), 0))
    except FileNotFoundError:
        return
    if end != _END:
        logger.warning("%s: not a whole file of flows: deleted", path)
        path.unlink()
