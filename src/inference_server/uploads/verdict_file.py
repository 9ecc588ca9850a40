"""Reading lines of a file that another process may still be writing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

PIECE_BYTES: Final = 1 << 18
LOOK_SECONDS: Final = 0.2


def lines_after(path: Path, after: int) -> Iterator[bytes]:
    """Yield the whole lines of a file but the first `after`; none where there is no file."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        file.seek(_skip(file, after)[0])
        for line in file:
            if line.endswith(b"\n"):
                yield line


async def follow_lines(path: Path, after: int, over: Callable[[], bool]) -> AsyncIterator[bytes]:
    """Yield pieces of whole lines, without the first `after`, as they are written, until nobody writes.

    Args:
        path: the file; it may come later.
        after: lines that are not wanted.
        over: whether no more will be written.
    """
    at, left = 0, after
    while True:
        last = over()
        piece, at, left = await asyncio.to_thread(_piece, path, at, left)
        if piece:
            yield piece
        elif last:
            return
        else:
            await asyncio.sleep(LOOK_SECONDS)


def _piece(path: Path, at: int, skipped: int) -> tuple[bytes, int, int]:
    """Return whole lines from `at` on, where the next are, and how many lines are still to be skipped."""
    try:
        with path.open("rb") as file:
            file.seek(at)
            if skipped:
                more, skipped = _skip(file, skipped)
                at += more
                file.seek(at)
            piece = file.read(PIECE_BYTES)
    except FileNotFoundError:
        return b"", at, skipped
    if skipped:
        return b"", at, skipped
    whole = piece[: piece.rfind(b"\n") + 1]
    return whole, at + len(whole), 0


def _skip(file: BinaryIO, lines: int) -> tuple[int, int]:
    """Return the bytes that the next whole lines take, and how many of them are not there yet."""
    taken = 0
    rest = b""
    while lines:
        piece = file.read(PIECE_BYTES)
        if not piece:
            return taken - len(rest), lines
        found = piece.count(b"\n")
        if found >= lines:
            end = -1
            for _ in range(lines):
                end = piece.index(b"\n", end + 1)
            return taken + end + 1, 0
        lines -= found
        last = piece.rfind(b"\n")
        rest = piece[last + 1 :] if last >= 0 else rest + piece
        taken += len(piece)
    return taken - len(rest), 0
