"""How much memory the process takes, and giving back what it no longer uses."""

from __future__ import annotations

import ctypes
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 10.0
GROWTH_BYTES: Final = 4_000_000
"""What the process may grow by before it gives memory back again."""

STOP_SECONDS: Final = 1.0
_DONT_NEED: Final = 4
_MAPPING: Final = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)")
_LIBRARY: Final = re.compile(r"\.so(\.|$)")
_CHANGED: Final = re.compile(r"Anonymous: +(\d+)")
logger = logging.getLogger(__name__)


def resident_bytes() -> int:
    """Return the resident set of this process."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Give the system what the allocator keeps, and the pages of libraries.

    The compiler, which loads the kernels, leaves 70 MB of its library's pages behind, the other libraries as
    much: what of them runs comes back from the system's cache when it is touched, in microseconds.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(ctypes.c_size_t(0))
    for start, end in library_pages():
        libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONT_NEED)


def library_pages() -> Iterator[tuple[int, int]]:
    """Yield start and end of the libraries' mappings that are what their files say.

    Not those that were written, as relocated addresses are: what was written would be lost. And nothing that
    may be gone when the caller comes to it, as other files may: a library stays for the process's life.
    """
    found: tuple[int, int] | None = None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if mapping := _MAPPING.match(line):
            start, end, permissions, name = mapping.groups()
            constant = "w" not in permissions and _LIBRARY.search(name)
            found = (int(start, 16), int(end, 16)) if constant else None
        elif found and (changed := _CHANGED.match(line)):
            if changed[1] == "0":
                yield found
            found = None


class ResidentSet:
    """A thread that gives memory back: after the start, and whenever the process has grown."""

    def __init__(
        self, *, look_seconds: float = LOOK_SECONDS, resident: Callable[[], int] = resident_bytes
    ) -> None:
        self._look_seconds = look_seconds
        self._resident = resident
        self._after = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="resident-set", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)

    def look(self) -> bool:
        """Give memory back if the process has grown enough; return whether it did."""
        if self._resident() < self._after + GROWTH_BYTES:
            return False
        give_back()
        self._after = self._resident()
        return True

    def _run(self) -> None:
        while not self._stop.wait(self._look_seconds):
            try:
                self.look()
            except Exception:
                logger.exception("no memory was given back")
                return
