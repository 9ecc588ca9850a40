from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.s3 import s3_client
from helpers.bulk import talk_to
from helpers.mlflow_server import s3_server
from inference_server.bulk import captures
from inference_server.bulk.captures import find_captures

NAMES = ("a.pcap", "b.pcap", "b.txt", "day1/a.pcap", "day1/late/c.pcap", "day2/a.pcap")


@pytest.fixture(scope="module")
def server(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(pytestconfig, tmp_path_factory.mktemp("s3") / "buckets", "pcaps") as url:
        yield url


@pytest.fixture
def on_s3(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    talk_to(monkeypatch, server)
    captures._client.cache_clear()
    for name in NAMES:
        s3_client().put_object(Bucket="pcaps", Key=f"in/{name}", Body=name.encode())
    return "s3://pcaps/in"


@pytest.fixture
def on_disk(tmp_path: Path) -> str:
    for name in NAMES:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(name.encode())
    return str(tmp_path / "in")


PATTERNS = {
    "*.pcap": {"a.pcap": "a.pcap", "b.pcap": "b.pcap"},
    "[b-z].*": {"b.pcap": "b.pcap", "b.txt": "b.txt"},
    "**/*.pcap": {name: name for name in NAMES if name.endswith(".pcap")},
    "day?/a.pcap": {"day1/a.pcap": "day1/a.pcap", "day2/a.pcap": "day2/a.pcap"},
    "day1/*.pcap": {"day1/a.pcap": "a.pcap"},
    "day1/late/c.pcap": {"day1/late/c.pcap": "c.pcap"},
}


@pytest.mark.parametrize("place", ["on_disk", "on_s3"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_mean_the_same_on_disk_and_on_s3(
    pattern: str, place: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    base = request.getfixturevalue(place)
    found = find_captures([f"{base}/{pattern}"])
    wanted = {f"{base}/{name}": f"{result}.parquet" for name, result in PATTERNS[pattern].items()}
    assert {capture.url: capture.result for capture in found} == wanted
    for capture in found:
        file, size, content = capture.fetched(tmp_path)
        assert file.read_bytes() == capture.url.removeprefix(f"{base}/").encode()
        assert (size, content) == (capture.size, capture.content)


def test_each_capture_comes_once(on_disk: str) -> None:
    assert len(find_captures([f"{on_disk}/a.pcap", f"{on_disk}/*.pcap"])) == 2


def test_two_of_one_name_are_refused(on_disk: str) -> None:
    with pytest.raises(ValueError, match=r"day2/a\.pcap and .*day1/a\.pcap would both be written to a\.pcap"):
        find_captures([f"{on_disk}/day1/*.pcap", f"{on_disk}/day2/*.pcap"])


@pytest.mark.parametrize("place", ["on_disk", "on_s3"])
def test_what_is_not_there_is_said(place: str, request: pytest.FixtureRequest) -> None:
    base = request.getfixturevalue(place)
    for missing in ("no.pcap", "*.none"):
        with pytest.raises(FileNotFoundError, match=missing.replace("*", r"\*")):
            find_captures([f"{base}/{missing}"])
