"""Objects on S3 as training data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from flows.s3 import SCHEME, s3_client, s3_errors
from training.sources.download import Answer, Kept

CHUNK: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class S3Object:
    """One object."""

    bucket: str
    key: str

    @property
    def name(self) -> str:
        """The object's URL."""
        return f"{SCHEME}{self.bucket}/{self.key}"

    @contextmanager
    def open(self, start: int, kept: Kept) -> Iterator[Answer | None]:
        """See `training.sources.download.RemoteFile`."""
        with s3_errors(self.name):
            client = s3_client()
            if kept.sha256 and self._version(client) == kept.version:
                yield None
                return
            start = start if kept.version and not kept.sha256 else 0
            wanted = {"Range": f"bytes={start}-"} if start else {}
            answer = client.get_object(Bucket=self.bucket, Key=self.key, **wanted)
            if start and answer["ETag"] != kept.version:
                start, answer = 0, client.get_object(Bucket=self.bucket, Key=self.key)
            now = Kept(version=answer["ETag"], length=start + int(answer["ContentLength"]))
            with closing(answer["Body"]) as body:
                yield Answer(start, now, body.iter_chunks(CHUNK))

    def _version(self, client: Any) -> str:
        return str(client.head_object(Bucket=self.bucket, Key=self.key)["ETag"])
