from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from detection.mlflow_client import PASSWORD
from flows.csv_files import write_csv
from helpers.flows import flow_table
from helpers.server import wait_until
from helpers.tools import free_port
from helpers.web_files import WebFiles, web_files
from training.sources import download
from training.sources.read import ReadOptions, read_training_data
from training.sources.remote import Fetching, fetched, is_remote, split_checksum

BODY = bytes(range(256)) * 4_000
DIGEST = sha256(BODY).hexdigest()


@pytest.fixture
def web() -> Iterator[WebFiles]:
    with web_files() as server:
        server.files["/flows.csv.gz"] = BODY
        yield server


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "FIRST_PAUSE", 0.001)


@pytest.fixture
def fetching(tmp_path: Path) -> Fetching:
    return Fetching(tmp_path / "cache")


def test_a_file_is_fetched_under_its_name_and_only_once(web: WebFiles, fetching: Fetching) -> None:
    paths = {fetched(f"{web.url}/flows.csv.gz", fetching) for _ in range(3)}
    (path,) = paths
    assert (path.name, path.read_bytes()) == ("flows.csv.gz", BODY)
    assert web.sent == len(BODY)


def test_a_known_checksum_asks_nobody_once_the_file_is_there(web: WebFiles, fetching: Fetching) -> None:
    url = f"{web.url}/flows.csv.gz#sha256={DIGEST.upper()}"
    fetched(url, fetching)
    fetched(url, fetching)
    assert len(web.asked) == 1


def test_another_checksum_is_refused_and_nothing_kept(web: WebFiles, fetching: Fetching) -> None:
    wrong = "0" * 64
    with pytest.raises(ValueError, match=f"sha256 is {DIGEST}, not {wrong}"):
        fetched(f"{web.url}/flows.csv.gz#sha256={wrong}", fetching)
    assert not [path for path in fetching.cache_dir.rglob("flows.csv*") if path.suffix != ".json"]


def test_a_checksum_is_also_held_against_what_is_there(web: WebFiles, fetching: Fetching) -> None:
    fetched(f"{web.url}/flows.csv.gz", fetching)
    with pytest.raises(ValueError, match="not the file you meant"):
        fetched(f"{web.url}/flows.csv.gz#sha256={'0' * 64}", fetching)


def test_another_version_is_fetched_anew(web: WebFiles, fetching: Fetching) -> None:
    fetched(f"{web.url}/flows.csv.gz", fetching)
    web.files["/flows.csv.gz"] = b"another"
    assert fetched(f"{web.url}/flows.csv.gz", fetching).read_bytes() == b"another"


def test_a_connection_that_breaks_is_gone_on_with(web: WebFiles, fetching: Fetching) -> None:
    web.breaks = [300_000, 300_000]
    assert fetched(f"{web.url}/flows.csv.gz", fetching).read_bytes() == BODY
    assert [bool(wanted) for _, wanted in web.asked] == [False, True, True]
    assert web.sent == len(BODY)


def test_a_version_that_changes_in_between_is_not_mixed(web: WebFiles, fetching: Fetching) -> None:
    web.breaks = [300_000, *[0] * download.ATTEMPTS]
    url = f"{web.url}/flows.csv.gz"
    with pytest.raises(ConnectionError, match="300,000 bytes are kept"):
        fetched(url, fetching)
    web.breaks = []
    web.files["/flows.csv.gz"] = BODY[::-1]
    assert fetched(url, fetching).read_bytes() == BODY[::-1]
    assert web.asked[-1] == ("/flows.csv.gz", "bytes=300000-")


def test_a_server_without_ranges_or_versions_begins_anew(web: WebFiles, fetching: Fetching) -> None:
    web.versions = web.ranges = False
    web.breaks = [300_000]
    assert fetched(f"{web.url}/flows.csv.gz", fetching).read_bytes() == BODY
    assert [wanted for _, wanted in web.asked] == ["", ""]


def test_a_server_that_is_killed_in_the_middle(fetching: Fetching) -> None:
    port = free_port()
    with web_files(port) as web:
        web.files["/flows.csv.gz"] = BODY
        web.breaks = [400_000, *[0] * download.ATTEMPTS]
        with pytest.raises(ConnectionError, match="400,000 bytes are kept: the same command goes on"):
            fetched(f"{web.url}/flows.csv.gz", fetching)
    with web_files(port) as web:
        web.files["/flows.csv.gz"] = BODY
        assert fetched(f"{web.url}/flows.csv.gz", fetching).read_bytes() == BODY
        assert web.asked == [("/flows.csv.gz", "bytes=400000-")]


def test_a_download_whose_process_is_killed_goes_on(web: WebFiles, fetching: Fetching) -> None:
    body = os.urandom(1 << 20) * 48
    web.files["/big.csv"] = body
    code = (
        "import sys, time; from pathlib import Path; from training.sources.remote import *\n"
        "fetched(sys.argv[1], Fetching(Path(sys.argv[2]), progress=lambda *_: time.sleep(0.2)))"
    )
    command = [sys.executable, "-c", code, f"{web.url}/big.csv", str(fetching.cache_dir)]
    process = subprocess.Popen(command)
    try:
        wait_until(lambda: _part_size(fetching.cache_dir) > 1 << 20 or process.poll() is not None)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    kept = _part_size(fetching.cache_dir)
    assert 0 < kept < len(body)
    assert fetched(f"{web.url}/big.csv", fetching).read_bytes() == body
    assert web.asked[-1] == ("/big.csv", f"bytes={kept}-")


def _part_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.part"))


def test_a_copy_is_used_where_the_server_is_away(
    fetching: Fetching, caplog: pytest.LogCaptureFixture
) -> None:
    with web_files() as web:
        web.files["/flows.csv"] = BODY
        url = f"{web.url}/flows.csv"
        fetched(url, fetching)
    assert fetched(url, fetching).read_bytes() == BODY
    assert "the copy of before is taken" in caplog.text


def test_access_is_by_user_and_password_in_the_url(web: WebFiles, fetching: Fetching) -> None:
    web.login = ("me", "secret")
    with pytest.raises(PermissionError, match=r"401 Unauthorized: write user and password into the URL"):
        fetched(f"{web.url}/flows.csv.gz", fetching)
    url = web.url.replace("http://", "http://me:secret@")
    assert fetched(f"{url}/flows.csv.gz", fetching).read_bytes() == BODY
    with pytest.raises(FileNotFoundError, match="404") as missing:
        fetched(f"{url}/nothing.csv", fetching)
    assert "secret" not in str(missing.value)


def test_a_cache_that_is_full_forgets_what_was_not_used_for_longest(web: WebFiles, tmp_path: Path) -> None:
    fetching = Fetching(tmp_path / "cache", most_bytes=2_500)
    for name in "abcd":
        web.files[f"/{name}.csv"] = name.encode() * 1_000
    first, second = (fetched(f"{web.url}/{name}.csv", fetching) for name in "ab")
    os.utime(first.parents[1], (2_000_000_000, 2_000_000_000))
    third = fetched(f"{web.url}/c.csv", fetching)
    assert [path.exists() for path in (first, second, third)] == [True, False, True]


def test_a_file_larger_than_the_cache_is_refused_before_it_is_fetched(web: WebFiles, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"0\.0 GB, more than the 0\.0 GB that are kept: set DATA_CACHE_GB"):
        fetched(f"{web.url}/flows.csv.gz", Fetching(tmp_path / "cache", most_bytes=1_000))


def test_terms_are_shown_before_a_known_set_is_downloaded_and_not_again(
    web: WebFiles, tmp_path: Path
) -> None:
    shown: list[str] = []
    fetching = Fetching(tmp_path / "cache", notice=shown.append)
    web.files["/CIC-UNSW-NB15/Data.csv"] = BODY
    for _ in range(2):
        fetched(f"{web.url}/CIC-UNSW-NB15/Data.csv", fetching)
    (notice,) = shown
    assert "terms: for research" in notice
    assert "cite: H. Mohammadian" in notice
    fetched(f"{web.url}/flows.csv.gz", fetching)
    assert len(shown) == 1


def test_progress_is_told(web: WebFiles, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    url = f"{web.url}/flows.csv.gz"
    fetched(url, Fetching(tmp_path / "cache", progress=lambda *said: told.append(said)))
    assert told[-1] == (url, len(BODY), len(BODY))


def test_what_is_remote() -> None:
    remote = ["s3://b/k", "http://h/f", "https://h/f", "influxdb://h/d/m"]
    assert [is_remote(each) for each in [*remote, "data/flows.csv", "C:flows", "s3"]] == [True] * 4 + [
        False
    ] * 3


def test_a_checksum_is_told_from_the_url() -> None:
    assert split_checksum(f"http://h/f#sha256={DIGEST}") == ("http://h/f", DIGEST)
    assert split_checksum("s3://b/key#1.csv") == ("s3://b/key#1.csv", None)
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        split_checksum("http://h/f#sha256=abc")


def test_no_scheme_that_is_not_known(fetching: Fetching) -> None:
    with pytest.raises(ValueError, match="not one of s3://, http://"):
        fetched("ftp://host/file", fetching)


def test_training_data_are_read_from_where_they_are(
    web: WebFiles, fetching: Fetching, tmp_path: Path
) -> None:
    labels = np.array(["BENIGN", "PortScan"] * 3, object)
    table = flow_table(6, features={"tot_fwd_pkts": np.arange(6)}, extras={"label": labels})
    write_csv(table, tmp_path / "a.csv")
    web.files["/flows.csv"] = (tmp_path / "a.csv").read_bytes()
    url = web.url.replace("http://", "http://me:secret@")
    location = f"{url}/flows.csv#sha256={sha256(web.files['/flows.csv']).hexdigest()}"
    flows = read_training_data([location], options=ReadOptions(fetching=fetching))
    assert flows.codes.tolist() == [0, 17] * 3
    assert flows.sources == (f"{url.replace('secret', PASSWORD)}/flows.csv",)
