from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from clients.rest_client.location import S3Access, local_copy
from helpers.queues import KEY, REGION, Queues


@pytest.fixture(scope="module")
def buckets(queues: Queues) -> None:
    """A bucket that everybody may read, and one that nobody else may; each holds data/test.h5."""
    s3 = queues.client("s3")
    for bucket in ("flows-public", "flows-private"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=bucket, Key="data/test.h5", Body=bucket.encode())
    s3.delete_public_access_block(Bucket="flows-public")
    anybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::flows-public", "arn:aws:s3:::flows-public/*"],
    }
    s3.put_bucket_policy(
        Bucket="flows-public", Policy=json.dumps({"Version": "2012-10-17", "Statement": [anybody]})
    )


@pytest.fixture
def access(queues: Queues, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Access:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", queues.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY[1])
    return S3Access(REGION, tmp_path / "output" / "s3_dataset.h5", signed=False)


NOWHERE = S3Access(REGION, Path("unused"), signed=False)


def test_local_files() -> None:
    assert local_copy("file:///data/test.h5", NOWHERE) == Path("/data/test.h5")
    assert local_copy("file://data/test.h5", NOWHERE) == Path("data/test.h5")
    assert local_copy("data/test.h5", NOWHERE) == Path("data/test.h5")


def test_other_protocols() -> None:
    message = 'Invalid dataset URI provided! Supported protocols are ["file://", "s3://"]'
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        local_copy("http://host/test.h5", NOWHERE)


@pytest.mark.usefixtures("buckets")
def test_an_anonymous_download_is_kept(access: S3Access, capsys: pytest.CaptureFixture[str]) -> None:
    path = local_copy("s3://flows-public/data/test.h5", access)
    assert path.read_bytes() == b"flows-public"
    assert local_copy("s3://flows-public/data/test.h5", access) == path
    assert capsys.readouterr().out.splitlines() == [
        f'Downloading dataset from S3 location ["flows-public/data/test.h5"] to ["{path}"]',
        f'Dataset is already present on path ["{path}"].',
    ]


@pytest.mark.usefixtures("buckets")
def test_credentials_open_what_is_private(access: S3Access) -> None:
    signed = S3Access(access.region, access.storage_path, signed=True)
    assert local_copy("s3://flows-private/data/test.h5", signed).read_bytes() == b"flows-private"
    access.storage_path.unlink()
    with pytest.raises(OSError, match=r"could not be retrieved. Cause: .*403.*--s3-credentials signs"):
        local_copy("s3://flows-private/data/test.h5", access)


@pytest.mark.usefixtures("buckets")
def test_a_stored_file_of_another_uri_is_not_taken_for_it(access: S3Access) -> None:
    signed = S3Access(access.region, access.storage_path, signed=True)
    local_copy("s3://flows-private/data/test.h5", signed)
    assert local_copy("s3://flows-public/data/test.h5", access).read_bytes() == b"flows-public"


def test_a_file_that_somebody_else_stored_is_used(access: S3Access) -> None:
    access.storage_path.parent.mkdir()
    access.storage_path.write_bytes(b"theirs")
    assert local_copy("s3://anything/at-all.h5", access).read_bytes() == b"theirs"


@pytest.mark.usefixtures("buckets")
def test_objects_that_are_not_there(access: S3Access) -> None:
    signed = S3Access(access.region, access.storage_path, signed=True)
    with pytest.raises(FileNotFoundError, match=r'File \["s3://flows-private/none.h5"\] not found.'):
        local_copy("s3://flows-private/none.h5", signed)
    with pytest.raises(ValueError, match="name the bucket and the object"):
        local_copy("s3://flows-private", signed)


def test_a_store_that_is_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    away = S3Access(REGION, tmp_path / "test.h5", signed=False)
    with pytest.raises(OSError, match=r"could not be retrieved. Cause: Could not connect"):
        local_copy("s3://flows-public/data/test.h5", away)
