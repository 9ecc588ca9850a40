"""Captures in a folder or on S3, and the model that scores them."""

from __future__ import annotations

from pathlib import Path

import pytest

from detection.package import MANIFEST, load_package, served_files
from helpers.mlflow_server import S3_KEY
from helpers.packets import connection, pcap
from inference_server.bulk.packed_model import PackedModel


def packed(package: Path, *, version: str = "1") -> PackedModel:
    """A package as it goes to other processes."""
    names = served_files((package / MANIFEST).read_bytes())
    files = {name: (package / name).read_bytes() for name in names}
    return PackedModel("ml-ids", version, load_package(package).threshold, False, files)


def capture_bytes(number: int = 0) -> bytes:
    """A capture of some TCP connections, another one for each number."""
    packets = [each for at in range(5) for each in connection(at * 20_000, 40_000 + 100 * number + at)]
    return pcap(packets)


def s3_environment(url: str) -> dict[str, str]:
    """What makes boto3 talk to an S3 store of `s3_server`."""
    return {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": S3_KEY[0],
        "AWS_SECRET_ACCESS_KEY": S3_KEY[1],
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    }


def talk_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Make boto3 talk to an S3 store of `s3_server`."""
    for name, value in s3_environment(url).items():
        monkeypatch.setenv(name, value)
