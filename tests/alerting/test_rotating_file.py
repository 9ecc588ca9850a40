from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.rotating_file import RotatingFile


def test_new_files_are_readable_by_owner_and_group_only(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "deep" / "a.log")
    file.append(b"one\n")
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o640
    file.close()


def test_rotates_by_size_and_keeps_so_many_files(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log", max_bytes=10, files=3)
    for number in range(9):
        file.append(b"line%d\n" % number)
    file.close()
    texts = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert texts == {"a.log": "line8\n", "a.log.1": "line7\n", "a.log.2": "line6\n"}


def test_one_file_starts_over(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log", max_bytes=10, files=1)
    for number in range(3):
        file.append(b"line%d\n" % number)
    file.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.log": "line2\n"}


@given(lines=st.lists(st.binary(min_size=1, max_size=20).map(lambda line: line.replace(b"\n", b"") + b"\n")))
def test_what_is_kept_is_the_end_of_what_was_appended(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    file = RotatingFile(tmp_path_factory.mktemp("rotation") / "a.log", max_bytes=50, files=3)
    for line in lines:
        file.append(line)
    file.close()
    kept = [file.path.with_name(name) for name in ("a.log.2", "a.log.1", "a.log")]
    contents = [path.read_bytes() for path in kept if path.exists()]
    assert b"".join(lines).endswith(b"".join(contents))
    assert all(len(content) <= 50 for content in contents)


def test_a_line_longer_than_the_limit_is_written_whole(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log", max_bytes=10, files=2)
    file.append(b"x" * 50 + b"\n")
    file.append(b"y\n")
    file.close()
    assert (tmp_path / "a.log").read_bytes() == b"y\n"
    assert len((tmp_path / "a.log.1").read_bytes()) == 51


def test_follows_a_rotation_by_somebody_else(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log")
    file.append(b"before\n")
    file.path.rename(tmp_path / "moved")
    file.append(b"after\n")
    file.path.unlink()
    file.append(b"again\n")
    file.close()
    assert (tmp_path / "moved").read_text() == "before\n"
    assert file.path.read_text() == "again\n"


def test_survives_truncation_by_somebody_else(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log")
    file.append(b"before\n")
    file.path.write_bytes(b"")
    file.append(b"after\n")
    file.close()
    assert file.path.read_bytes() == b"after\n"


def test_does_not_glue_a_line_to_a_torn_one(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b'{"half":')
    file = RotatingFile(tmp_path / "a.log")
    file.append(b"{}\n")
    file.close()
    assert file.path.read_bytes() == b'{"half":\n{}\n'


def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.log").symlink_to("/dev/full")
    file = RotatingFile(tmp_path / "a.log")
    with pytest.raises(OSError, match="No space left"):
        file.append(b"one\n")
    file.close()


def test_lines_that_fit_only_in_part_are_taken_back(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "a.log")
    file.append(b"one\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
    try:
        with pytest.raises(OSError, match="No space left"):
            file.append(b"a line that is too long\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    file.append(b"two\n")
    file.close()
    assert file.path.read_bytes() == b"one\ntwo\n"


def test_a_file_has_lines_of_one_span_only(tmp_path: Path) -> None:
    now = [1_000_000.0]
    file = RotatingFile(tmp_path / "log", span_seconds=100.0, files=3, now=lambda: now[0])
    for line in (b"one\n", b"two\n"):
        file.append(line)
        os.utime(tmp_path / "log", (now[0], now[0]))
        now[0] += 10
    now[0] += 100
    file.append(b"three\n")
    os.utime(tmp_path / "log", (now[0], now[0]))
    file.close()
    assert (tmp_path / "log").read_bytes() == b"three\n"
    assert (tmp_path / "log.1").read_bytes() == b"one\ntwo\n"
    assert file.deleted == 0


def test_files_deleted_to_keep_the_number_are_counted(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "log", max_bytes=4, files=2)
    for line in (b"one\n", b"two\n", b"six\n", b"ten\n"):
        file.append(line)
    file.close()
    assert file.deleted == 2
