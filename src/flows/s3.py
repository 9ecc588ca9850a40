"""S3, asked for with boto3: with the credentials it finds, anonymously where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

SCHEME: Final = "s3://"
CONNECT_SECONDS: Final = 10
READ_SECONDS: Final = 60
_MISSING: Final = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_FORBIDDEN: Final = frozenset({"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})


@dataclass(frozen=True, slots=True)
class Listed:
    """What a listing says of an object.

    Attributes:
        size: its bytes.
        etag: which content it has.
    """

    size: int
    etag: str


def listed(bucket: str, prefix: str) -> dict[str, Listed]:
    """Return the keys of a bucket that begin with a prefix; those that end in / are folders and left out.

    Raises:
        FileNotFoundError, PermissionError, ConnectionError: there is none, or no asking.
    """
    with s3_errors(f"{SCHEME}{bucket}/{prefix}"):
        pages = s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return {
            each["Key"]: Listed(int(each["Size"]), str(each["ETag"]).strip('"'))
            for page in pages
            for each in page.get("Contents", ())
            if not each["Key"].endswith("/")
        }


def s3_client() -> Any:
    """Return a client; AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_S3 and credentials are honoured as boto3 does."""
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
def s3_errors(name: str) -> Iterator[None]:
    """Turn boto3's errors into Python's own, which name the object and what to do.

    Raises:
        FileNotFoundError, PermissionError, ConnectionError, ValueError: what became of it.
    """
    from boto3.exceptions import Boto3Error
    from botocore import exceptions as boto

    try:
        yield
    except boto.ClientError as error:
        raise _refusal(name, error.response.get("Error", {})) from None
    except (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError, Boto3Error) as error:
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
