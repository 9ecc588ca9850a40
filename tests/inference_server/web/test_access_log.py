from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inference_server.web import access_log
from inference_server.web.access_log import AccessLog

SCOPE: dict[str, Any] = {
    "path": "/p",
    "method": "GET",
    "client": ("10.0.0.9", 1234),
    "state": {"caller": "siem"},
}


def test_what_waits_is_written_at_the_stop(tmp_path: Path) -> None:
    log = AccessLog(tmp_path)
    log.start()
    for number in range(1000):
        log.add(SCOPE, f"id-{number}", 200, 0.0012345, 10)
    log.stop(60)
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    assert [line["request_id"] for line in lines] == [f"id-{number}" for number in range(1000)]
    assert (lines[0]["client"], lines[0]["caller"], lines[0]["ms"]) == ("10.0.0.9", "siem", 1.234)
    assert log.status().written == 1000
    assert not log.running


def test_switched_off_it_writes_nothing_and_misses_nothing(tmp_path: Path) -> None:
    log = AccessLog(tmp_path, enabled=False)
    log.start()
    log.add(SCOPE, "id", 200, 0.1, 10)
    assert log.running
    log.stop(60)
    assert list(tmp_path.iterdir()) == []


def test_lines_that_find_no_room_are_counted(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(access_log, "MAX_LINES", 3)
    log = AccessLog(tmp_path)
    for _ in range(5):
        log.add(SCOPE, "id", 200, 0.1, 10)
    assert (log.status().lost, log.status().error) == (2, "more requests than could be written")
    log.start()
    log.stop(60)
    assert (log.status().written, log.status().lost, log.status().error) == (3, 2, None)


def test_a_disk_that_is_full_is_no_one_s_trouble_but_is_said(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    log = AccessLog(tmp_path / "logs")
    log.start()
    log.add(SCOPE, "id", None, 0.1, 0)
    log.stop(60)
    assert log.status().lost == 1
    assert log.status().error
