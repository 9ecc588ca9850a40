"""Bounded ways between the event loop and a thread: bytes in, lines out."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

INLET_BYTES: Final = 2 << 20
OUTLET_BYTES: Final = 1 << 20
QUIET_SECONDS: Final = 0.5


class AbandonedError(Exception):
    """Nobody is at the other end any more."""


class _Pipe:
    """What both directions share: a bounded number of bytes, and waking the event loop up."""

    def __init__(self, capacity: int) -> None:
        """Make an empty pipe; to be made in the event loop."""
        self._capacity = capacity
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._change = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._finished = False
        self._abandoned = False

    def abandon(self) -> None:
        """Let both ends give up."""
        with self._change:
            self._abandoned = True
            self._change.notify_all()
        self._wake()

    def finish(self) -> None:
        """Say that nothing more is put in."""
        with self._change:
            self._finished = True
            self._change.notify_all()
        self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits there
            self._loop.call_soon_threadsafe(self._woken.set)


class Inlet(_Pipe):
    """Bytes from the event loop for a thread, which reads them as a file."""

    def __init__(self, on_quiet: Callable[[], None], capacity: int = INLET_BYTES) -> None:
        """Make an empty pipe; `on_quiet` is called by the reading thread while nothing comes."""
        super().__init__(capacity)
        self._on_quiet = on_quiet

    async def put(self, piece: bytes) -> None:
        """Put bytes in once there is room.

        Raises:
            AbandonedError: nobody reads any more.
        """
        while True:
            with self._change:
                if self._abandoned:
                    raise AbandonedError
                if self._held < self._capacity:
                    self._pieces.append(piece)
                    self._held += len(piece)
                    self._change.notify_all()
                    return
                self._woken.clear()
            await self._woken.wait()

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer with what there is; return the bytes, 0 at the end.

        Raises:
            AbandonedError: nobody writes any more, and it did not end properly.
        """
        while True:
            with self._change:
                if self._abandoned:
                    raise AbandonedError
                if self._held:
                    return self._take(buffer)
                if self._finished:
                    return 0
                if self._change.wait(QUIET_SECONDS):
                    continue
            self._on_quiet()

    def _take(self, buffer: memoryview) -> int:
        taken = 0
        while self._pieces and taken < len(buffer):
            piece = self._pieces.popleft()
            room = len(buffer) - taken
            if len(piece) > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            buffer[taken : taken + len(piece)] = piece
            taken += len(piece)
        self._held -= taken
        self._wake()
        return taken


class Outlet(_Pipe):
    """Bytes from a thread for the event loop."""

    def __init__(self, capacity: int = OUTLET_BYTES) -> None:
        super().__init__(capacity)

    def put(self, piece: bytes) -> None:
        """Put bytes in once there is room.

        Raises:
            AbandonedError: nobody reads any more.
        """
        with self._change:
            self._change.wait_for(lambda: self._abandoned or self._held < self._capacity)
            if self._abandoned:
                raise AbandonedError
            self._pieces.append(piece)
            self._held += len(piece)
        self._wake()

    async def get(self) -> bytes:
        """Wait for bytes and return all there are, none at the end."""
        while True:
            with self._change:
                if self._pieces or self._finished or self._abandoned:
                    everything = b"".join(self._pieces)
                    self._pieces.clear()
                    self._held = 0
                    self._change.notify_all()
                    return everything
                self._woken.clear()
            await self._woken.wait()
