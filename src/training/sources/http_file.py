"""A file on a web server, asked for with httpx."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from detection.mlflow_client import without_passwords
from training.sources.download import Answer, Kept

TIMEOUT: Final = httpx.Timeout(60, connect=10)
_TEMPORARY: Final = (408, 425, 429)
_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class HttpFile:
    """What a URL leads to; a user and password in it are sent, redirections followed."""

    url: str

    @property
    def name(self) -> str:
        """The URL without a password."""
        return without_passwords(self.url)

    @contextmanager
    def open(self, start: int, kept: Kept) -> Iterator[Answer | None]:
        """See `training.sources.download.RemoteFile`."""
        headers = {"Accept-Encoding": "identity"}
        if kept.sha256 and kept.version:
            headers |= _unless(kept.version)
        elif start and kept.version:
            headers |= {"Range": f"bytes={start}-", "If-Range": kept.version}
        try:
            with (
                httpx.Client(follow_redirects=True, timeout=TIMEOUT) as client,
                client.stream("GET", self.url, headers=headers) as response,
            ):
                yield self._answer(response, start)
        except httpx.TransportError as error:
            raise ConnectionError(f"{self.name}: {str(error) or type(error).__name__}") from None
        except (httpx.InvalidURL, httpx.TooManyRedirects, httpx.DecodingError) as error:
            raise ValueError(f"{self.name}: {error}") from None

    def _answer(self, response: httpx.Response, start: int) -> Answer | None:
        if response.status_code == 304:
            return None
        if response.status_code in (401, 403):
            raise PermissionError(
                f"{self.name}: {response.status_code} {response.reason_phrase}: write user and password into "
                "the URL, https://user:password@host/…, if you have access"
            )
        if response.status_code in (404, 410):
            raise FileNotFoundError(f"{self.name}: {response.status_code} {response.reason_phrase}")
        if response.status_code >= 400:
            kind = (
                ConnectionError if response.status_code in _TEMPORARY or response.is_server_error else OSError
            )
            raise kind(f"{self.name}: {response.status_code} {response.reason_phrase}")
        found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
        version = _version(response)
        if response.status_code == 206 and found and int(found[1]) == start:
            length = None if found[2] == "*" else int(found[2])
            return Answer(start, Kept(version=version, length=length), response.iter_raw())
        length = response.headers.get("Content-Length")
        kept = Kept(version=version, length=int(length) if length else None)
        return Answer(0, kept, response.iter_raw())


def _version(response: httpx.Response) -> str:
    """Return what names the version for If-Range; a weak ETag does not say that the bytes are the same."""
    etag: str = response.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):
        return etag
    modified: str = response.headers.get("Last-Modified", "")
    return modified


def _unless(version: str) -> dict[str, str]:
    return {"If-None-Match" if version.startswith('"') else "If-Modified-Since": version}
