from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from flows.s3 import s3_client
from helpers.mlflow_server import RCLONE, S3_KEY, s3_server
from helpers.server import wait_until
from helpers.tools import free_port, installed_tool, server_process
from training.sources import download
from training.sources.remote import Fetching, fetched


@pytest.fixture(scope="module")
def server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(pytestconfig, tmp_path_factory.mktemp("s3") / "buckets", "sets") as url:
        yield url


@pytest.fixture
def client(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    _credentials(monkeypatch, server)
    return s3_client()


def put(client: Any, **objects: str) -> None:
    for key, body in objects.items():
        client.put_object(Bucket="sets", Key=key, Body=body.encode())


def _credentials(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEY[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_KEY[1])
    monkeypatch.setenv("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.01)


def test_an_object_is_fetched_once_and_again_when_it_changed(client: Any, tmp_path: Path) -> None:
    told: list[int] = []
    fetching = Fetching(tmp_path / "cache", progress=lambda name, size, whole: told.append(size))
    put(client, **{"day one/flows.csv": "first"})
    paths = {fetched("s3://sets/day one/flows.csv", fetching) for _ in range(2)}
    assert [path.read_bytes() for path in paths] == [b"first"]
    assert told == [5]
    put(client, **{"day one/flows.csv": "another one"})
    assert fetched("s3://sets/day one/flows.csv", fetching).read_bytes() == b"another one"


def test_a_folder_is_fetched_whole_and_follows_the_bucket(client: Any, tmp_path: Path) -> None:
    fetching = Fetching(tmp_path / "cache")
    put(client, **{f"days/{name}": name for name in ("mon.csv", "tue.csv", "late/fri.csv")})
    folder = fetched("s3://sets/days/", fetching)
    assert _files(folder) == {name: name for name in ("mon.csv", "tue.csv", "late/fri.csv")}
    client.delete_object(Bucket="sets", Key="days/mon.csv")
    put(client, **{"days/tue.csv": "changed"})
    assert _files(fetched("s3://sets/days/", fetching)) == {
        "tue.csv": "changed",
        "late/fri.csv": "late/fri.csv",
    }


def _files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def test_what_is_not_there_is_said(client: Any, tmp_path: Path) -> None:
    fetching = Fetching(tmp_path / "cache")
    for missing in ("s3://sets/no.csv", "s3://nowhere/no.csv", "s3://sets/none/"):
        with pytest.raises(FileNotFoundError, match=missing):
            fetched(missing, fetching)


def test_wrong_keys_are_said(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(PermissionError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        fetched("s3://sets/no.csv", Fetching(tmp_path / "cache"))


def test_a_server_killed_in_the_middle_is_gone_on_with(
    pytestconfig: pytest.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = os.urandom(6 << 20)
    (tmp_path / "s3" / "sets").mkdir(parents=True)
    (tmp_path / "s3" / "sets" / "big.csv").write_bytes(body)
    url = f"http://127.0.0.1:{free_port()}"
    _credentials(monkeypatch, url)
    command = [str(installed_tool(pytestconfig, RCLONE, "rclone")), "serve", "s3", str(tmp_path / "s3")]
    command += ["--addr", url.removeprefix("http://"), "--auth-key", ",".join(S3_KEY)]
    fetching = Fetching(tmp_path / "cache")
    with pytest.raises(ConnectionError, match="the same command goes on from there"):
        _killed_in_the_middle(command, tmp_path, fetching)
    (part,) = fetching.cache_dir.rglob("*.part")
    kept = part.stat().st_size
    assert 0 < kept < len(body)
    told: list[int] = []
    with server_process(command, tmp_path / "rclone.txt", url):
        whole = Fetching(fetching.cache_dir, progress=lambda name, size, of: told.append(size))
        path = fetched(f"s3://sets/big.csv#sha256={sha256(body).hexdigest()}", whole)
    assert path.read_bytes() == body
    assert min(told) > kept


def _killed_in_the_middle(command: list[str], folder: Path, fetching: Fetching) -> None:
    process = subprocess.Popen([*command, "--bwlimit", "2M"], cwd=folder)

    def kill(name: str, size: int, whole: int | None) -> None:
        process.kill()
        process.wait(30)

    try:
        wait_until(lambda: _listens(command[command.index("--addr") + 1]))
        fetched("s3://sets/big.csv", Fetching(fetching.cache_dir, progress=kill))
    finally:
        process.kill()
        process.wait(30)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0
