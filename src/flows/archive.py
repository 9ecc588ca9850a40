"""The archive of scored flows: where its files lie, and reading it.

```
2026-11-21T13.parquet        an hour (UTC) that is over
2026-11-21T13.2.parquet      more of it, of another dialect, sensor or set of features
2026-11-21T14/0001.parquet   parts of an hour that is not over
```

Every file is whole: it gets its name when it is written. A folder beside the file of its hour is what a
crash left; the file holds all of it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from flows.parquet_files import ParquetFlowReader
from flows.table import FlowTable

SUFFIX: Final = ".parquet"
_NAME: Final = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2})(?:\.([2-9]|[1-9]\d+))?")
_PART: Final = re.compile(r"\d{4,}\.parquet")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, order=True, slots=True)
class ArchivedHour:
    """Flows of one hour that one file can hold.

    Attributes:
        hour: the hour they were archived in, UTC, such as 2026-11-21T14.
        number: 1, higher for more of the same hour.
    """

    hour: str
    number: int = 1

    @property
    def name(self) -> str:
        """What its file, without the suffix, and its folder of parts are called."""
        return self.hour if self.number == 1 else f"{self.hour}.{self.number}"

    @classmethod
    def named(cls, name: str) -> Self | None:
        """Return the hour that a file, without its suffix, or a folder is called after."""
        found = _NAME.fullmatch(name)
        return cls(found[1], int(found[2] or 1)) if found else None

    def file(self, directory: Path) -> Path:
        """Return where its file is, or will be when it is over."""
        return directory / f"{self.name}{SUFFIX}"

    def folder(self, directory: Path) -> Path:
        """Return where its parts are until then."""
        return directory / self.name

    def files(self, directory: Path) -> list[Path]:
        """Return the files that hold it, in order: its own, or its parts."""
        file = self.file(directory)
        return [file] if file.exists() else parts(self.folder(directory))


def hour_of(seconds: float) -> str:
    """Return the UTC hour of a time in seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H")


def parts(folder: Path) -> list[Path]:
    """Return the parts in a folder, in order; none when there is no folder."""
    try:
        found = [path for path in folder.iterdir() if _PART.fullmatch(path.name)]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda path: int(path.stem))


def archived_hours(directory: Path) -> list[ArchivedHour]:
    """Return what an archive holds, in order.

    Raises:
        OSError: the directory cannot be read.
    """
    names = (
        entry.name if entry.is_dir() else entry.name.removesuffix(SUFFIX)
        for entry in directory.iterdir()
        if entry.is_dir() or entry.suffix == SUFFIX
    )
    return sorted({hour for hour in map(ArchivedHour.named, names) if hour is not None})


def read_archive(
    directory: Path,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    on_problem: Callable[[str], None] = logger.warning,
) -> Iterator[FlowTable]:
    """Yield an archive's flows in the order they were archived, in small tables.

    A running sensor may write, put together and delete files meanwhile. What cannot be read is left out
    and told to `on_problem`. Extras say what was thought of each flow when it was archived; see
    `alerting.flow_archive`.

    Args:
        since_us, until_us: only flows that ended in [since, until), UTC microseconds.

    Raises:
        OSError: the directory cannot be read.
    """
    for hour in archived_hours(directory):
        with ExitStack() as stack:
            for reader in _open(hour, directory, stack, on_problem):
                try:
                    yield from reader.tables(since_us=since_us, until_us=until_us)
                except ValueError as error:
                    on_problem(f"left out: {error}")


def _open(
    hour: ArchivedHour, directory: Path, stack: ExitStack, on_problem: Callable[[str], None]
) -> list[ParquetFlowReader]:
    """Open all files of an hour, anew when one of them vanishes: they are put together, or deleted."""
    while True:
        readers = []
        try:
            for path in hour.files(directory):
                try:
                    readers.append(stack.enter_context(ParquetFlowReader(path)))
                except ValueError as error:
                    on_problem(f"left out: {error}")
        except FileNotFoundError:
            continue
        return readers
