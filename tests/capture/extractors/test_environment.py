from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from capture.extractors import environment
from capture.extractors.environment import RELEASES, default_release, find_environment, make_environment
from helpers.extractor import extractor_tools

PINS = Path(environment.__file__).parent


@pytest.mark.parametrize("name", ["build", *(f"cicflowmeter-{release}" for release in RELEASES)])
def test_everything_installed_is_pinned_and_hashed(name: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (PINS / f"{name}.txt").read_text())[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert [entry.split()[0] for entry in entries if "==" not in entry.split()[0]] == []


def test_the_session_of_0_2_0_gets_the_scapy_that_calls_it() -> None:
    assert "\nscapy==2.5.0 " in (PINS / "cicflowmeter-0.2.0.txt").read_text()


def test_what_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not there: run ml-ids setup-extractor"):
        find_environment(tmp_path)


def test_an_unknown_release_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"choose 0\.2\.0 or 0\.5\.0"):
        make_environment(tmp_path, "0.4.0")
    assert list(tmp_path.iterdir()) == []


def test_the_old_release_is_refused_where_its_scapy_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    assert default_release() == "0.5.0"
    with pytest.raises(ValueError, match=r"choose 0\.5\.0"):
        make_environment(tmp_path, "0.2.0")


def test_without_a_package_index_the_cause_is_told_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    with pytest.raises(OSError, match="cannot be made") as raised:
        make_environment(tmp_path)
    assert str(raised.value) == (
        "the environment of PyPI cicflowmeter cannot be made: the package index that pip is configured for "
        "does not answer: Failed to establish a new connection: [Errno 111] Connection refused"
    )
    assert list(tmp_path.iterdir()) == []


def test_it_is_made_once_and_not_used_when_its_pins_changed(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = extractor_tools(request.config)
    python = find_environment(tools).python
    made = python.stat(follow_symlinks=False).st_mtime_ns
    assert make_environment(tools) == find_environment(tools)
    assert python.stat(follow_symlinks=False).st_mtime_ns == made

    monkeypatch.setattr(environment, "_BUILD", PINS / "cicflowmeter-0.5.0.txt")
    with pytest.raises(FileNotFoundError, match="is out of date: run ml-ids setup-extractor"):
        find_environment(tools)
