from __future__ import annotations

import logging
import re
import stat
from pathlib import Path

import pytest

from inference_server.telemetry.application_log import NAME, ApplicationLog

LINE = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO here: 3 flows$"


def test_lines_go_to_stdout_and_the_file_while_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = ApplicationLog(tmp_path)
    log.open()
    logging.getLogger("here").info("%d flows", 3)
    log.close()
    logging.getLogger("here").info("not this")
    text = (tmp_path / NAME).read_text()
    assert re.search(LINE, text)
    assert len(text.splitlines()) == 1
    assert text in capsys.readouterr().out
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o640
    assert log.status().written == 1


def test_the_root_logger_is_left_as_it_was(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    log = ApplicationLog(tmp_path)
    log.open()
    log.close()
    assert (root.level, root.handlers) == before


def test_a_full_disk_is_not_the_callers_trouble(tmp_path: Path) -> None:
    (tmp_path / NAME).symlink_to("/dev/full")
    log = ApplicationLog(tmp_path)
    log.open()
    logging.getLogger("here").info("lost")
    log.close()
    # The line itself, and the one that says that lines are lost.
    assert log.status().lost == 2
