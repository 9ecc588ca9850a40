"""Receiving a capture: from a stream of bytes to a file, within limits."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inference_server.web.errors import BodyTooLargeError, SlowBodyError, StorageFullError, UnprocessableError

WRITTEN_AT_ONCE: Final = 1 << 20
RESERVE_BYTES: Final = 256 << 20
"""What an upload leaves free on the disk: logs, outbox and registry need it."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that was received whole."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What an upload may take.

    Attributes:
        max_bytes: of the file.
        seconds: until it is there.
        room: returns how many more bytes fit, by the cap of all uploads and by the disk.
    """

    max_bytes: int
    seconds: float
    room: Callable[[int], int]

    def check(self, size: int, more: int) -> None:
        """Check that a file may grow to `size` bytes, `more` of them not yet written.

        Raises:
            BodyTooLargeError: it would be too long.
            StorageFullError: there is no room for it.
        """
        if size > self.max_bytes:
            raise BodyTooLargeError(
                f"The capture exceeds {self.max_bytes:,} bytes: send it in parts, or compressed, or raise "
                "UPLOAD_MAX_MB"
            )
        if more > self.room(more):
            raise StorageFullError(
                "No room for the capture: delete uploads that are no longer needed, or raise UPLOADS_DISK_MB"
            )


async def receive(
    chunks: AsyncIterator[bytes], path: Path, limits: Limits, on_bytes: Callable[[int], None]
) -> Received:
    """Write a stream to a file; the event loop does none of the writing.

    Args:
        chunks: the stream.
        path: the file, in a folder that is there.
        limits: what it may take.
        on_bytes: called with the bytes so far; what it raises ends the receipt.

    Raises:
        RequestError: a limit was passed, or nothing came.
        OSError: the file cannot be written.
    """
    digest = hashlib.sha256()
    size = 0
    waiting: list[bytes] = []

    def write() -> None:
        content = b"".join(waiting)
        limits.check(size, len(content))
        file.write(content)
        digest.update(content)

    with path.open("wb") as file:
        try:
            async with asyncio.timeout(limits.seconds):
                held = 0
                async for chunk in chunks:
                    waiting.append(chunk)
                    held += len(chunk)
                    size += len(chunk)
                    if held >= WRITTEN_AT_ONCE:
                        await asyncio.to_thread(write)
                        waiting, held = [], 0
                        on_bytes(size)
                await asyncio.to_thread(write)
        except TimeoutError:
            raise SlowBodyError(
                f"The capture was not there after {limits.seconds:g} s: send it in parts, or raise "
                "UPLOAD_MAX_SECONDS"
            ) from None
    if not size:
        raise UnprocessableError("No body: send a pcap or pcapng capture")
    on_bytes(size)
    return Received(size, digest.hexdigest())
