"""Debian's InfluxDB 1.x as a process of its own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from helpers.server import wait_until
from helpers.tools import free_port

ADMIN = ("admin", "p@ss/word")
CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
  auth-enabled = {auth}
[monitor]
  store-enabled = false
"""


@dataclass
class Influx:
    """A running server; `address` is host:port."""

    address: str
    login: tuple[str, str] | None

    def query(self, text: str, database: str = "") -> Any:
        """Return the rows of a query's first series, none where it has none."""
        answer = httpx.post(
            f"http://{self.address}/query", data={"q": text, "db": database}, auth=self.login, timeout=60
        ).json()
        series = answer["results"][0].get("series", [])
        return series[0]["values"] if series else []

    def write(self, lines: str, database: str) -> None:
        """Write points in the line protocol."""
        answer = httpx.post(
            f"http://{self.address}/write",
            params={"db": database},
            content=lines,
            auth=self.login,
            timeout=60,
        )
        assert answer.status_code == 204, answer.text


@contextmanager
def influx_server(folder: Path, *, auth: bool = False) -> Iterator[Influx]:
    """Run a server below `folder`; skips the test where there is none to run."""
    influxd = shutil.which("influxd")
    if influxd is None:
        pytest.skip("influxd is not installed: apt-get install influxdb")
    address = f"127.0.0.1:{free_port()}"
    config = folder / "influxdb.toml"
    config.write_text(
        CONFIG.format(folder=folder, rpc=free_port(), port=address.rpartition(":")[2], auth=str(auth).lower())
    )
    with (folder / "influxd.txt").open("wb") as output:
        process = subprocess.Popen([influxd, "-config", config], stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or _answers(address))
        assert process.poll() is None, (folder / "influxd.txt").read_text()
        server = Influx(address, None)
        if auth:
            server.query(f"CREATE USER {ADMIN[0]} WITH PASSWORD '{ADMIN[1]}' WITH ALL PRIVILEGES")
            server.login = ADMIN
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/ping", timeout=5).status_code == 204
    except httpx.HTTPError:
        return False
