from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from alerting.housekeeping import DAY_SECONDS, Housekeeping, Store
from helpers.server import wait_until


def aged(path: Path, days: float, *, size: int = 10) -> Path:
    path.write_bytes(bytes(size))
    then = time.time() - days * DAY_SECONDS
    os.utime(path, (then, then))
    return path


def test_what_was_last_written_too_long_ago_is_deleted_and_counted(tmp_path: Path) -> None:
    old, young = aged(tmp_path / "old", 91), aged(tmp_path / "young", 89)
    keeping = Housekeeping([Store("logs", lambda: tmp_path.iterdir(), 1000)], keep_days=90)
    keeping.look()
    (status,) = keeping.status()
    assert (status.files, status.bytes, status.limit_bytes, status.expired) == (1, 10, 1000, 1)
    assert (old.exists(), young.exists()) == (False, True)


def test_a_store_whose_owner_sees_to_its_age_is_only_looked_at(tmp_path: Path) -> None:
    old = aged(tmp_path / "old", 91)
    keeping = Housekeeping([Store("outbox", lambda: [old], 1000, None)], keep_days=90)
    keeping.look()
    assert (keeping.status()[0].bytes, old.exists()) == (10, True)


def test_files_that_are_not_there_count_for_nothing(tmp_path: Path) -> None:
    keeping = Housekeeping([Store("logs", lambda: [tmp_path / "none"], 1000)], keep_days=90)
    keeping.look()
    assert (keeping.status()[0].files, keeping.status()[0].error) == (0, None)


def test_what_cannot_be_deleted_is_said_and_counts_on(tmp_path: Path) -> None:
    def refuses(path: Path) -> None:
        raise PermissionError(1, "not permitted", str(path))

    old = aged(tmp_path / "old", 91)
    keeping = Housekeeping([Store("logs", lambda: [old], 1000, refuses)], keep_days=90)
    keeping.look()
    assert "not permitted" in str(keeping.status()[0].error)
    assert keeping.status()[0].expired == 0


def test_the_thread_looks_at_once_and_survives_a_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerting.housekeeping.LOOK_SECONDS", 0.01)
    broken = iter([True])

    def files() -> list[Path]:
        if next(broken, False):
            raise RuntimeError("a defect")
        return [aged(tmp_path / "young", 1)]

    keeping = Housekeeping([Store("logs", files, 1000)], keep_days=90)
    keeping.start()
    wait_until(keeping.status)
    assert keeping.running
    keeping.stop()
    wait_until(lambda: not keeping.running)
