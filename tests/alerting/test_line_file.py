from __future__ import annotations

import logging
from pathlib import Path

import pytest

from alerting.line_file import LineFile


def test_counts_what_it_writes(tmp_path: Path) -> None:
    file = LineFile(tmp_path / "a.log")
    file.append([b"one", b"two"])
    file.close()
    assert (tmp_path / "a.log").read_bytes() == b"one\ntwo\n"
    status = file.status()
    assert (status.name, status.written, status.lost, status.error) == ("a.log", 2, 0, None)


def test_lost_lines_are_counted_and_said_once_in_a_while(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.log"
    path.symlink_to("/dev/full")
    file = LineFile(path, say_every=3600)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            file.append([b"one", b"two"])
    assert file.status().lost == 10
    assert "No space left" in str(file.status().error)
    assert "make LOG_DIR writable" in str(file.status().error)
    assert len(caplog.records) == 1
    assert "make LOG_DIR writable" in caplog.text

    path.unlink()
    file.append([b"three"])
    file.close()
    assert (file.status().written, file.status().lost, file.status().error) == (1, 10, None)
    assert path.read_bytes() == b"three\n"


def test_a_directory_in_the_way_is_counted_not_raised(tmp_path: Path) -> None:
    (tmp_path / "a.log").mkdir()
    file = LineFile(tmp_path / "a.log")
    file.append([b"one"])
    assert file.status().lost == 1
