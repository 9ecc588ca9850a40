"""One remote file brought to disk: gone on with where it broke off, never mixed of two versions."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Final, Protocol

from pydantic import BaseModel, ValidationError

ATTEMPTS: Final = 5
FIRST_PAUSE: Final = 0.5
SAY_EVERY: Final = 1 << 20
ROOM_EVERY: Final = 1 << 26
Progress = Callable[[str, int, int | None], None]
"""Called with a file's name, the bytes there are, and how many there will be where that is known."""

logger = logging.getLogger(__name__)


class Kept(BaseModel):
    """What is known of a file on disk.

    Attributes:
        version: what the server calls this version of the file; "" where it does not.
        length: of the whole file, bytes; None where the server does not say.
        sha256: of the whole file; "" until it is whole.
    """

    version: str = ""
    length: int | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server sends.

    Attributes:
        start: the first byte's place in the file.
        kept: which version of the file it is.
        chunks: the bytes from there on.
    """

    start: int
    kept: Kept
    chunks: Iterator[bytes]


class RemoteFile(Protocol):
    """A file on a server.

    Raises:
        FileNotFoundError, PermissionError: (from `open`) there is none, or it may not be read.
        ConnectionError: (also from the chunks) the server cannot be reached, or broke off.
    """

    @property
    def name(self) -> str:
        """What messages call it, without passwords."""

    def open(self, start: int, kept: Kept) -> AbstractContextManager[Answer | None]:
        """Ask for the file from a byte on.

        The answer begins at 0 when the file is not the version of `kept` any more, and is None when that
        one is whole (`sha256`) and still the server's.
        """


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is kept: whole, in parts, and what is known of it."""

    file: Path
    part: Path
    record: Path

    def kept(self) -> Kept:
        """Return what is known; nothing where the file is gone or the record broken."""
        try:
            found = Kept.model_validate_json(self.record.read_bytes())
        except (OSError, ValidationError):
            return Kept()
        return found if (self.file if found.sha256 else self.part).exists() else Kept()

    def keep(self, known: Kept) -> None:
        """Write down what is known."""
        unfinished = self.record.with_name(f"{self.record.name}.new")
        unfinished.write_text(known.model_dump_json())
        unfinished.replace(self.record)


class Download:
    """Brings one file to disk.

    Attributes:
        room: called with the bytes that the file will take, or takes so far, before they are written; raises
            where there is no room.
        progress: told how far it is.
        sha256: what the whole file must have; None where nobody said.
    """

    def __init__(
        self, place: Place, *, room: Callable[[int], None], progress: Progress, sha256: str | None = None
    ) -> None:
        self.place = place
        self.room = room
        self.progress = progress
        self.sha256 = sha256
        for path in (place.file, place.part, place.record):
            path.parent.mkdir(parents=True, exist_ok=True)

    def run(self, remote: RemoteFile) -> Path:
        """Return the file, whole and checked; what is there already is not fetched again.

        Raises:
            ConnectionError: the server cannot be reached, or breaks off again and again; what came is kept.
            OSError: the file is not there, may not be read, or the disk is full.
            ValueError: it is not the file that was asked for, or there is no room for it.
        """
        kept = self.place.kept()
        if kept.sha256 and kept.sha256 == self.sha256:
            return self.place.file
        failures = 0
        while True:
            before = self._size()
            try:
                self._fetch(remote)
                return self._checked(remote)
            except ConnectionError as error:
                if self.place.kept().sha256 and self.sha256 is None:
                    logger.warning("the copy of before is taken: %s", error)
                    return self.place.file
                failures = 1 if self._size() > before else failures + 1
                if failures == ATTEMPTS:
                    raise ConnectionError(f"{error}. {self._so_far()}") from None
                time.sleep(FIRST_PAUSE * 2 ** (failures - 1))

    def _fetch(self, remote: RemoteFile) -> None:
        kept = self.place.kept()
        if not kept.sha256 and kept.length is not None and self._size() == kept.length:
            self._finish(remote.name, kept)
            return
        with remote.open(0 if kept.sha256 else self._size(), kept) as answer:
            if answer is None:
                return
            if answer.kept.length is not None:
                self.room(answer.kept.length)
            if answer.start == 0:
                self.place.file.unlink(missing_ok=True)
                self.place.part.write_bytes(b"")
            self.place.keep(answer.kept)
            self._write(remote.name, answer)
        length, size = answer.kept.length, self._size()
        if length is not None and size < length:
            raise ConnectionError(f"{remote.name}: the connection ended after {size:,} of {length:,} bytes")
        self._finish(remote.name, answer.kept)

    def _write(self, name: str, answer: Answer) -> None:
        size = told = roomy = answer.start
        with self.place.part.open("r+b") as file:
            file.truncate(size)
            file.seek(size)
            for chunk in answer.chunks:
                file.write(chunk)
                size += len(chunk)
                if size - told >= SAY_EVERY:
                    told = size
                    self.progress(name, size, answer.kept.length)
                if size - roomy >= ROOM_EVERY:
                    roomy = size
                    self.room(size)
        self.progress(name, size, answer.kept.length)

    def _finish(self, name: str, known: Kept) -> None:
        size = self._size()
        if known.length is not None and size != known.length:
            self.place.part.unlink()
            raise ValueError(f"{name}: {size:,} bytes came instead of {known.length:,}: ask again")
        with self.place.part.open("rb") as file:
            digest = file_digest(file, "sha256").hexdigest()
        if self.sha256 not in (None, digest):
            self.place.part.unlink()
            raise ValueError(
                f"{name}: its sha256 is {digest}, not {self.sha256}: it is not the file you meant"
            )
        self.place.part.replace(self.place.file)
        self.place.keep(known.model_copy(update={"length": size, "sha256": digest}))

    def _checked(self, remote: RemoteFile) -> Path:
        digest = self.place.kept().sha256
        if self.sha256 not in (None, digest):
            raise ValueError(
                f"{remote.name}: its sha256 is {digest}, not {self.sha256}: it is not the file you meant"
            )
        return self.place.file

    def _size(self) -> int:
        try:
            return self.place.part.stat().st_size
        except FileNotFoundError:
            return 0

    def _so_far(self) -> str:
        size = self._size()
        return f"{size:,} bytes are kept: the same command goes on from there" if size else "Nothing came"
