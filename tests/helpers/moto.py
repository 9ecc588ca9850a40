"""Amazon's SageMaker, registry of images and S3 in moto, a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session

from helpers.tools import free_port, installed_tool, server_process

MOTO = "moto[server]==5.2.5"
REGION = "eu-west-1"
ACCOUNT = "123456789012"


@contextmanager
def moto_server(config: pytest.Config, folder: Path) -> Iterator[str]:
    """Run it; yields its URL. Skips the test where moto cannot be had."""
    program = installed_tool(config, MOTO, "moto_server")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with server_process([str(program), "-H", "127.0.0.1", "-p", str(port)], folder / "moto.txt", url):
        yield url


def client(url: str, service: str) -> Any:
    """A client of one of its services."""
    return Session("moto", "moto").client(service, region_name=REGION, endpoint_url=url)
