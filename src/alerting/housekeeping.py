"""What the service keeps on disk: how much it is, and that nothing stays beyond its age."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 60.0
DAY_SECONDS: Final = 86_400
logger = logging.getLogger(__name__)


def unlink(path: Path) -> None:
    """Delete a file that may be gone already."""
    path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Store:
    """Files of one kind.

    Attributes:
        name: what it is called.
        files: returns those there are.
        limit_bytes: what its owner lets them take.
        delete: deletes one; None where their owner sees to their age, too.
    """

    name: str
    files: Callable[[], Iterable[Path]]
    limit_bytes: int
    delete: Callable[[Path], None] | None = unlink


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What a store held when it was last looked at, a minute ago at most.

    Attributes:
        name: what it is called.
        files, bytes: what there is.
        limit_bytes: what may be.
        expired: files deleted because of their age.
        error: why one could not be deleted, None when all could.
    """

    name: str
    files: int
    bytes: int
    limit_bytes: int
    expired: int
    error: str | None


class Housekeeping:
    """A thread that looks at stores and deletes what was last written longer ago than it may stay."""

    def __init__(
        self, stores: Sequence[Store], keep_days: float, *, now: Callable[[], float] = time.time
    ) -> None:
        self._stores = tuple(stores)
        self._keep_seconds = keep_days * DAY_SECONDS
        self._now = now
        self._expired: Counter[str] = Counter()
        self._status: tuple[StoreStatus, ...] = ()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a look that is under way ends with the process."""
        self._stop.set()

    def status(self) -> tuple[StoreStatus, ...]:
        """Return what the last look found."""
        return self._status

    def look(self) -> None:
        """Delete what is too old, and see what there is."""
        oldest = self._now() - self._keep_seconds
        self._status = tuple(self._look_at(store, oldest) for store in self._stores)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:
                logger.exception("looking at the files failed; it goes on")
            self._stop.wait(LOOK_SECONDS)

    def _look_at(self, store: Store, oldest: float) -> StoreStatus:
        files, size, error = 0, 0, None
        for path in store.files():
            try:
                found = path.stat()
                if store.delete and found.st_mtime < oldest:
                    store.delete(path)
                    self._expired[store.name] += 1
                    continue
            except FileNotFoundError:
                continue
            except OSError as problem:
                error = str(problem)
                continue
            files += 1
            size += found.st_size
        return StoreStatus(store.name, files, size, store.limit_bytes, self._expired[store.name], error)
