"""What commands that read captures share: one progress bar, one line an error, whole files or none."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from capture.rules import LiveRules
from capture.warm_up import warm_up_files
from flows.dialects import IMPROVED
from flows.table import FlowTable
from inference_server.capture_reading import CaptureReading

TABLES_AHEAD: Final = 16
errors: Final = Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn errors that a user can mend into one line on stderr and exit code 1."""
    try:
        yield
    except (OSError, ValueError) as error:
        errors.print(f"error: {_text(error)}", style="red", markup=False)
        raise typer.Exit(1) from None


def _text(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return str(error)


def output_format(output: Path, inputs: Sequence[Path], formats: Sequence[str]) -> str:
    """Return the suffix of `output`.

    Raises:
        ValueError: it is none of `formats`, its directory is missing, or it is an input.
    """
    suffix = output.suffix.lower()
    if suffix not in formats:
        raise ValueError(f"{output}: the output's name must end in {', '.join(formats)}")
    if not output.parent.is_dir():
        raise ValueError(f"{output}: the directory {output.parent} does not exist")
    if output.exists() and any(output.samefile(path) for path in inputs if path.exists()):
        raise ValueError(f"{output}: is also an input")
    return suffix


@contextmanager
def whole_file(output: Path) -> Iterator[Path]:
    """Give a file to write beside `output` that takes its place at the end, and vanishes on an error."""
    unfinished = output.with_name(f".unfinished-{os.getpid()}-{output.name}")
    try:
        yield unfinished
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


class ReadingBar:
    """A progress bar over the bytes of several inputs, with packets a second; a context manager.

    Attributes:
        packets: packets of the captures so far.
        ignored: packets that joined no flow, by reason.
    """

    def __init__(self, inputs: Sequence[Path]) -> None:
        """Add up the sizes of the inputs.

        Raises:
            OSError: one does not exist.
        """
        self.packets = 0
        self.ignored: Counter[str] = Counter()
        self._bytes_before = 0
        self._sizes = {path: _size(path) for path in inputs}
        self._started = 0.0
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
            disable=not errors.is_terminal,
        )
        total = sum(_size(path) for path in inputs)
        self._task = self._progress.add_task("", total=total, rate="")

    def __enter__(self) -> Self:
        with errors.status("loading the flow meter (compiled on the very first run)"):
            warm_up_files()
        self._started = time.perf_counter()
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._started

    def rate(self) -> str:
        """Return packets a second so far."""
        return f"{self.packets / max(self.seconds, 1e-9):,.0f} packets/s"

    def capture(
        self,
        path: Path,
        live_rules: LiveRules | None = None,
        *,
        dialect: str = IMPROVED,
        context: bool = False,
    ) -> Iterator[FlowTable]:
        """Meter a capture, with host context if asked; one that is cut off gives what it has and a warning.

        Raises:
            OSError: it cannot be read.
            ValueError: it is no capture, or broken before its first packet.
        """
        reading = CaptureReading(path, dialect=dialect, live_rules=live_rules, context=context)
        before = self.packets

        def read_so_far(read: int) -> None:
            self.packets = before + reading.packets
            self.advance(path, read)

        yield from reading.tables(read_so_far)
        self.packets = before + reading.packets
        self.ignored.update(reading.ignored)
        self.finish(path)
        for warning in reading.warnings:
            self.warn(warning)

    def advance(self, path: Path, read: int) -> None:
        """Show that `read` bytes of an input were read."""
        self._progress.update(
            self._task,
            description=path.name,
            completed=self._bytes_before + read,
            rate=self.rate() if self.packets else "",
        )

    def finish(self, path: Path) -> None:
        """Count an input as read."""
        self._bytes_before += self._sizes[path]
        self.advance(path, 0)

    def warn(self, message: str) -> None:
        """Print a line on stderr, above the bar."""
        self._progress.console.print(f"warning: {message}", style="yellow", markup=False)

    def counted(self) -> str:
        """Return the packets so far and those that joined no flow, in words."""
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.ignored.items() if count)
        return f"{self.packets:,} packets" + (f" (ignored: {reasons})" if reasons else "")


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files of a directory."""
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def ahead(tables: Iterator[FlowTable]) -> Iterator[FlowTable]:
    """Draw tables in a thread, so that captures are metered while what they gave is written."""
    with ThreadPoolExecutor(1, "reading") as reader:
        drawn = deque(reader.submit(next, tables, None) for _ in range(TABLES_AHEAD))
        while (table := drawn.popleft().result()) is not None:
            drawn.append(reader.submit(next, tables, None))
            yield table
