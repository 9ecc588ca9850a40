"""Training data that is elsewhere, brought to disk: S3, web servers, InfluxDB."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256 as sha256_of
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from detection.mlflow_client import without_passwords
from flows.s3 import listed
from training.sources.download import Download, Place, Progress, RemoteFile
from training.sources.http_file import HttpFile
from training.sources.influx import SCHEMES as INFLUX_SCHEMES
from training.sources.influx import InfluxLocation, write_measurement
from training.sources.known_sets import known_set
from training.sources.s3_files import S3Object

SCHEMES: Final = ("s3", "http", "https", *INFLUX_SCHEMES)
GIGABYTE: Final = 1_000_000_000
CACHE_BYTES: Final = 20 * GIGABYTE
SPARE_BYTES: Final = GIGABYTE // 2
"""So much of the disk is left to others."""

_CHECKSUM: Final = re.compile(r"#sha256=([0-9a-fA-F]{64})$")
logger = logging.getLogger(__name__)


def is_remote(location: str) -> bool:
    """Whether a location of training data is a URL that `fetched` knows."""
    return location.partition("://")[0].lower() in SCHEMES and "://" in location


def split_checksum(location: str) -> tuple[str, str | None]:
    """Return a URL without `#sha256=…`, and the checksum in small letters, None where there is none.

    Raises:
        ValueError: it says sha256, but not 64 hexadecimal digits.
    """
    if found := _CHECKSUM.search(location):
        return location[: found.start()], found[1].lower()
    if "#sha256" in location:
        raise ValueError(f"{location}: write the checksum as #sha256= and 64 hexadecimal digits")
    return location, None


def shown(location: str) -> str:
    """Return a URL as people may see it: without password and checksum."""
    return without_passwords(split_checksum(location)[0])


@dataclass(frozen=True, slots=True)
class Fetching:
    """How remote data are fetched.

    Attributes:
        cache_dir: where they are kept.
        most_bytes: the most that it holds; what was not used for the longest time is deleted.
        notice: told what a person should read, such as a set's terms before it is downloaded.
        progress: told how far a download is.
    """

    cache_dir: Path = Path("var/data")
    most_bytes: int = CACHE_BYTES
    notice: Callable[[str], None] = logger.warning
    progress: Progress = field(default=lambda name, size, whole: None)


def fetched(location: str, fetching: Fetching) -> Path:
    """Return the file, or folder, that a URL's data are in on disk.

    `s3://bucket/key`, `s3://bucket/folder/`, `http(s)://…` and `influxdb://host:port/database/measurement`.
    A file is fetched once, and again only when the server has another version; a download that broke off
    goes on. `#sha256=…` at the end says what a file must be. A measurement is asked for anew each time.

    Raises:
        OSError: it is not there, may not be read, or cannot be reached.
        ValueError: the URL is none of these, the checksum is another one, or there is no room.
    """
    url, checksum = split_checksum(location)
    scheme = url.partition("://")[0].lower()
    with _Entry.of(fetching, url) as entry:
        if scheme in INFLUX_SCHEMES:
            if checksum:
                raise ValueError(f"{location}: a measurement has no checksum: leave #sha256 out")
            return entry.measurement(InfluxLocation.parse(url))
        if scheme == "s3":
            bucket, _, key = url.partition("://")[2].partition("/")
            if key == "" or key.endswith("/"):
                if checksum:
                    raise ValueError(f"{location}: a checksum is of one file: name the file")
                return entry.objects(bucket, key)
            return entry.download(S3Object(bucket, key), PurePosixPath(key).name, checksum)
        if scheme in ("http", "https"):
            name = PurePosixPath(unquote(urlsplit(url).path)).name or "download"
            return entry.download(HttpFile(url), name, checksum)
    raise ValueError(f"{location}: not one of {', '.join(f'{each}://' for each in SCHEMES)}")


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the cache holds of one URL: `files`, and in `state` what is known of them."""

    fetching: Fetching
    url: str
    folder: Path

    @staticmethod
    @contextmanager
    def of(fetching: Fetching, url: str) -> Iterator[_Entry]:
        """Give the entry of a URL; others that want it wait."""
        folder = fetching.cache_dir / sha256_of(url.encode()).hexdigest()[:20]
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            yield _Entry(fetching, url, folder)
            os.utime(folder)

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def download(self, remote: RemoteFile, name: str, checksum: str | None) -> Path:
        place = self._place(name)
        if not place.kept().sha256:
            self._tell_terms()
        return self._download(remote, place, checksum)

    def objects(self, bucket: str, prefix: str) -> Path:
        """Bring all objects below a prefix to disk, and delete what is there no more."""
        found = listed(bucket, prefix)
        names = {key: key.removeprefix(prefix) for key in found}
        if not found:
            raise FileNotFoundError(f"s3://{bucket}/{prefix}: nothing is there")
        if odd := [key for key, name in names.items() if ".." in PurePosixPath(name).parts or name[0] == "/"]:
            raise ValueError(f"s3://{bucket}/{odd[0]}: a key that would be a file somewhere else")
        if not all(self._place(name).kept().sha256 for name in names.values()):
            self._tell_terms()
        self._make_room(sum(each.size for each in found.values()))
        for stale in {*self._there()} - {*names.values()}:
            (self.files / stale).unlink()
        for key, name in names.items():
            self._download(S3Object(bucket, key), self._place(name), None)
        return self.files

    def measurement(self, location: InfluxLocation) -> Path:
        """Ask for all points anew; what was there stays until they are here."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="points-") as folder:
            name = str(location)
            path = write_measurement(
                location, Path(folder), lambda points: self.fetching.progress(name, points, None)
            )
            self._make_room(path.stat().st_size)
            shutil.rmtree(self.files, ignore_errors=True)
            self.files.mkdir()
            return path.rename(self.files / path.name)

    def _place(self, name: str) -> Place:
        state = self.folder / "state"
        return Place(self.files / name, state / f"{name}.part", state / f"{name}.json")

    def _download(self, remote: RemoteFile, place: Place, checksum: str | None) -> Path:
        return Download(place, room=self._make_room, progress=self.fetching.progress, sha256=checksum).run(
            remote
        )

    def _there(self) -> Iterator[str]:
        for path in self.files.rglob("*"):
            if path.is_file():
                yield path.relative_to(self.files).as_posix()

    def _tell_terms(self) -> None:
        if known := known_set(self.url):
            self.fetching.notice(known.notice())

    def _make_room(self, needed: int) -> None:
        """Delete what was not used for the longest time until `needed` bytes of this entry fit.

        Raises:
            OSError: the disk has no room for them.
            ValueError: they are more than the cache may hold.
        """
        most = self.fetching.most_bytes
        if needed > most:
            raise ValueError(
                f"{without_passwords(self.url)}: {needed / GIGABYTE:,.1f} GB, more than the "
                f"{most / GIGABYTE:,.1f} GB that are kept: set DATA_CACHE_GB higher"
            )
        others = [path for path in self.fetching.cache_dir.iterdir() if path.is_dir() and path != self.folder]
        sizes = {path: _size(path) for path in others}
        missing = needed - _size(self.folder)
        for path in sorted(others, key=_used):
            free = shutil.disk_usage(self.folder).free - SPARE_BYTES
            if sum(sizes.values()) + needed <= most and missing <= free:
                break
            if _delete(path):
                del sizes[path]
        if missing > (free := shutil.disk_usage(self.folder).free - SPARE_BYTES):
            raise OSError(
                f"{without_passwords(self.url)}: {missing / GIGABYTE:,.1f} GB more, and the disk of "
                f"{self.fetching.cache_dir} has {max(free, 0) / GIGABYTE:,.1f} GB to give: make room, or set "
                "STATE_DIR to a larger disk"
            )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _delete(folder: Path) -> bool:
    """Delete an entry unless somebody is fetching it."""
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True


def _used(folder: Path) -> float:
    with suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
