"""Where results go: a folder, or a prefix on S3; a name has its whole content or is not there."""

from __future__ import annotations

import io
import os
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from flows.s3 import SCHEME, listed, s3_client, s3_errors

FOOTER_BYTES: Final = 1 << 16
_LENGTH_BYTES: Final = 8


class Place(Protocol):
    """A place for Parquet files; safe to use from several threads."""

    def names(self) -> frozenset[str]:
        """Return what there is, relative paths.

        Raises:
            OSError: it cannot be asked.
        """

    def metadata(self, name: str) -> Mapping[bytes, bytes]:
        """Return the metadata of a file, nothing where that is none of Parquet.

        Raises:
            OSError: it is not there, or cannot be asked.
        """

    def put(self, file: Path, name: str) -> None:
        """Put a file in place of what has the name.

        Raises:
            OSError: it cannot be written.
        """


def place_named(text: str) -> Place:
    """Return the place that a path, or s3://BUCKET/PREFIX/, names."""
    if text.startswith(SCHEME):
        bucket, _, prefix = text.removeprefix(SCHEME).partition("/")
        return Prefix(bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else "")
    return Folder(Path(text))


@dataclass(frozen=True)
class Folder:
    """A folder; on a file system that all have that write there."""

    path: Path

    def names(self) -> frozenset[str]:
        """See `Place`."""
        found = (path for path in self.path.rglob("*") if path.is_file())
        return frozenset(path.relative_to(self.path).as_posix() for path in found)

    def metadata(self, name: str) -> Mapping[bytes, bytes]:
        """See `Place`."""
        with (self.path / name).open("rb") as file:
            return _metadata(file)

    def put(self, file: Path, name: str) -> None:
        """See `Place`."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".unfinished-{socket.gethostname()}-{os.getpid()}-{target.name}")
        try:
            shutil.copyfile(file, unfinished)
            unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)


@dataclass(frozen=True)
class Prefix:
    """The objects of a bucket whose keys begin with a prefix; a put is whole or none on S3."""

    bucket: str
    prefix: str

    @cached_property
    def _client(self) -> Any:
        return s3_client()

    def names(self) -> frozenset[str]:
        """See `Place`."""
        return frozenset(key.removeprefix(self.prefix) for key in listed(self.bucket, self.prefix))

    def metadata(self, name: str) -> Mapping[bytes, bytes]:
        """See `Place`."""
        with s3_errors(self._url(name)):
            size = int(self._client.head_object(Bucket=self.bucket, Key=self.prefix + name)["ContentLength"])
        tail = self._tail(name, size, FOOTER_BYTES)
        footer = int.from_bytes(tail[-_LENGTH_BYTES:-4], "little") + _LENGTH_BYTES
        return _metadata(io.BytesIO(tail if footer <= len(tail) else self._tail(name, size, footer)))

    def put(self, file: Path, name: str) -> None:
        """See `Place`."""
        with s3_errors(self._url(name)):
            self._client.upload_file(str(file), self.bucket, self.prefix + name)

    def _tail(self, name: str, size: int, count: int) -> bytes:
        wanted = {"Range": f"bytes={size - count}-"} if count < size else {}
        with s3_errors(self._url(name)):
            answer = self._client.get_object(Bucket=self.bucket, Key=self.prefix + name, **wanted)
            return bytes(answer["Body"].read())

    def _url(self, name: str) -> str:
        return f"{SCHEME}{self.bucket}/{self.prefix}{name}"


def _metadata(file: Any) -> Mapping[bytes, bytes]:
    try:
        return pq.read_metadata(file).metadata or {}
    except pa.ArrowInvalid:
        return {}
