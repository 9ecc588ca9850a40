"""Where a dataset is: a local path, file:// or s3://."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import typer
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from clients.aws import AWS_ERRORS, aws_client

_LOCAL: Final = "file://"
_S3: Final = "s3://"


@dataclass(frozen=True, slots=True)
class S3Access:
    """How S3 is asked.

    Attributes:
        region: of the bucket.
        storage_path: where a download is kept.
        signed: with the credentials that boto3 finds, instead of anonymously.
    """

    region: str
    storage_path: Path
    signed: bool


def local_copy(uri: str, access: S3Access) -> Path:
    """Return the path of a dataset's file, downloaded if it is on S3.

    Raises:
        ValueError: the URI is of another kind.
        FileNotFoundError: S3 has no such object.
        OSError: it cannot be retrieved.
    """
    if uri.startswith(_S3):
        return _from_s3(uri, access)
    if uri.startswith(_LOCAL):
        return Path(uri.removeprefix(_LOCAL))
    if "://" in uri:
        raise ValueError(f'Invalid dataset URI provided! Supported protocols are ["{_LOCAL}", "{_S3}"]')
    return Path(uri)


def _from_s3(uri: str, access: S3Access) -> Path:
    place, path = uri.removeprefix(_S3), access.storage_path
    # What an earlier run stored may be of another URI.
    note = path.with_name(f"{path.name}.source")
    if path.is_file() and (not note.exists() or note.read_text() == uri):
        typer.echo(f'Dataset is already present on path ["{path}"].')
        return path
    bucket, _, key = place.partition("/")
    if not bucket or not key:
        raise ValueError(f"{uri}: name the bucket and the object, as in s3://bucket/test.h5")
    typer.echo(f'Downloading dataset from S3 location ["{place}"] to ["{path}"]')
    path.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {} if access.signed else {"signature_version": UNSIGNED}
    try:
        aws_client("s3", region=access.region, **config).download_file(bucket, key, str(path))
    except AWS_ERRORS as error:
        raise _failure(uri, error, access.signed) from None
    note.write_text(uri)
    return path


def _failure(uri: str, error: Exception, signed: bool) -> OSError:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("404", "NoSuchKey", "NoSuchBucket"):
        return FileNotFoundError(f'File ["{uri}"] not found.')
    hint = " It was asked for anonymously: --s3-credentials signs." if code == "403" and not signed else ""
    return OSError(f'File ["{uri}"] could not be retrieved. Cause: {error}.{hint}')
