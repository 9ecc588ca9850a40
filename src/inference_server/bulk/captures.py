"""The captures that patterns name, on disk and on S3."""

from __future__ import annotations

import glob
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

from flows.s3 import SCHEME, Listed, listed, s3_client, s3_errors

SUFFIX: Final = ".parquet"
_WILD: Final = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Capture:
    """A capture as it was when it was looked for.

    Attributes:
        url: its path as it was given, or its s3:// URL.
        path: where a file is; None on S3.
        result: what the file of its results is called.
        size: its bytes.
        content: which content it has: an object's ETag, a file's time of change.
    """

    url: str
    path: str | None
    result: str
    size: int
    content: str

    def fetched(self, scratch: Path) -> tuple[Path, int, str]:
        """Return a file of the capture, and the size and content that it has.

        Raises:
            OSError: it is not there, or cannot be read.
            ValueError: S3 cannot be asked.
        """
        if self.path is not None:
            return Path(self.path), *_stat(Path(self.path))
        bucket, _, key = self.url.removeprefix(SCHEME).partition("/")
        # A compressed capture is told by its content, so its name does not matter.
        file = scratch / "capture"
        with s3_errors(self.url), file.open("wb") as stream:
            answer = _client().get_object(Bucket=bucket, Key=key)
            shutil.copyfileobj(answer["Body"], stream, 1 << 20)

        return file, int(answer["ContentLength"]), str(answer["ETag"]).strip('"')


def find_captures(patterns: Sequence[str]) -> list[Capture]:
    """Return the captures that paths, s3:// URLs and patterns of either name, each once.

    `*`, `?` and `[...]` stay within a folder, `**` is any number of folders.

    Raises:
        OSError: a name is not there, a pattern matches nothing, or the bucket cannot be asked.
        ValueError: two captures would have results of the same name.
    """
    found: dict[str, Capture] = {}
    results: dict[str, str] = {}
    for pattern in patterns:
        for capture in _on_s3(pattern) if pattern.startswith(SCHEME) else _on_disk(pattern):
            first = results.setdefault(capture.result, capture.url)
            if first != capture.url:
                raise ValueError(
                    f"{capture.url} and {first} would both be written to {capture.result}: score them into "
                    "different folders, or name both by one pattern"
                )
            found[capture.url] = capture
    return [found[url] for url in sorted(found)]


def _on_disk(pattern: str) -> Iterator[Capture]:
    wild = not _WILD.isdisjoint(pattern) and not Path(pattern).exists()
    names = (
        [name for name in glob.glob(pattern, recursive=True) if Path(name).is_file()] if wild else [pattern]
    )
    if not names:
        raise FileNotFoundError(f"{pattern}: matches no file")
    base = _fixed(pattern) if wild else os.path.dirname(pattern)
    for name in names:
        path = Path(name)
        size, content = _stat(path)
        result = os.path.relpath(name, base or ".") + SUFFIX
        yield Capture(name, str(path.resolve()), PurePosixPath(result).as_posix(), size, content)


def _on_s3(pattern: str) -> Iterator[Capture]:
    bucket, _, key = pattern.removeprefix(SCHEME).partition("/")
    wild = not _WILD.isdisjoint(key)
    base = _fixed(key) if wild else os.path.dirname(key)
    there = listed(bucket, _before_wild(key))
    chosen: dict[str, Listed] = {
        name: each
        for name, each in there.items()
        if (_matches(tuple(name.split("/")), tuple(key.split("/"))) if wild else name == key)
    }
    if not chosen:
        raise FileNotFoundError(f"{pattern}: " + ("matches no object" if wild else "is not there"))
    for name, each in chosen.items():
        result = name.removeprefix(f"{base}/" if base else "") + SUFFIX
        yield Capture(f"{SCHEME}{bucket}/{name}", None, result, each.size, each.etag)


def _before_wild(pattern: str) -> str:
    return pattern[: next((at for at, sign in enumerate(pattern) if sign in _WILD), len(pattern))]


def _fixed(pattern: str) -> str:
    """Return the folder that all that matches is in."""
    return _before_wild(pattern).rpartition("/")[0] or ("/" if pattern.startswith("/") else "")


def _matches(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    if not wanted:
        return not parts
    if wanted[0] == "**":
        return any(_matches(parts[skipped:], wanted[1:]) for skipped in range(len(parts)))
    return bool(parts) and fnmatchcase(parts[0], wanted[0]) and _matches(parts[1:], wanted[1:])


def _stat(path: Path) -> tuple[int, str]:
    stat = path.stat()
    return stat.st_size, str(stat.st_mtime_ns)


@cache
def _client() -> Any:
    """One client a process: making one takes longer than fetching a small capture."""
    return s3_client()
