"""Objects on S3, asked for with boto3: with the credentials it finds, anonymously where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

from training.sources.download import Answer, Kept

CHUNK: Final = 1 << 18
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
_MISSING: Final = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_FORBIDDEN: Final = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


@dataclass(frozen=True, slots=True)
class S3Object:
    """One object; AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 and AWS_* credentials are honoured as boto3 does."""

    bucket: str
    key: str

    @property
    def name(self) -> str:
        """The object's URL."""
        return f"s3://{self.bucket}/{self.key}"

    @contextmanager
    def open(self, start: int, kept: Kept) -> Iterator[Answer | None]:
        """See `training.sources.download.RemoteFile`."""
        with _s3_errors(self.name):
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


def listed(bucket: str, prefix: str) -> dict[str, int]:
    """Return the keys of a bucket that begin with a prefix, with their sizes in bytes.

    Raises:
        FileNotFoundError, PermissionError, ConnectionError: there is none, or no asking.
    """
    with _s3_errors(f"s3://{bucket}/{prefix}"):
        pages = s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {
            each["Key"]: int(each["Size"])
            for page in pages
            for each in page.get("Contents", ())
            if not each["Key"].endswith("/")
        }


def s3_client() -> Any:
    """Return a client with the credentials that boto3 finds, else an anonymous one."""
    # boto3 takes a third of a second to import, which only those pay who use it.
    from boto3.session import Session
    from botocore import UNSIGNED
    from botocore.config import Config

    session = Session()
    unsigned: dict[str, Any] = {} if session.get_credentials() else {"signature_version": UNSIGNED}
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 2, "mode": "standard"},
        **unsigned,
    )
    return session.client("s3", region_name=session.region_name or "us-east-1", config=config)


@contextmanager
def _s3_errors(name: str) -> Iterator[None]:
    from botocore import exceptions as boto

    try:
        yield
    except boto.ClientError as error:
        raise _refusal(name, error.response.get("Error", {})) from None
    except (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError) as error:
        raise ConnectionError(f"{name}: {error}") from None
    except boto.BotoCoreError as error:
        raise ValueError(f"{name}: {error}") from None


def _refusal(name: str, error: dict[str, Any]) -> OSError:
    code, said = str(error.get("Code", "")), str(error.get("Message", ""))
    text = f"{name}: {code} {said}".strip()
    if code in _MISSING:
        return FileNotFoundError(text)
    if code in _FORBIDDEN:
        return PermissionError(f"{text}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    return ConnectionError(text)
