"""How commands fetch training data that is elsewhere: into STATE_DIR, with a progress bar."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from inference_server.cli.reading import errors
from inference_server.settings import Settings, export_library_variables

if TYPE_CHECKING:
    from rich.progress import TaskID

    from training.sources.remote import Fetching


@contextmanager
def remote_data(settings: Settings) -> Iterator[Fetching]:
    """Give how data are fetched; the bar is there while something is, terms and the like go to stderr."""
    from training.sources.remote import GIGABYTE, Fetching

    export_library_variables()
    with _Downloads() as downloads:
        yield Fetching(
            settings.data_dir,
            int(settings.data_cache_gb * GIGABYTE),
            notice=downloads.say,
            progress=downloads.told,
        )


class _Downloads:
    """A bar for every download that is under way; a context manager."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=errors,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Downloads:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        errors.print(text, markup=False)

    def told(self, name: str, size: int, whole: int | None) -> None:
        if name not in self._tasks:
            self._bar.start()
            self._tasks[name] = self._bar.add_task(name)
        self._bar.update(self._tasks[name], completed=size, total=whole)
        if size == whole:
            self._bar.remove_task(self._tasks.pop(name))
            if not self._tasks:
                self._bar.stop()
