from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from alerting.database.file import back_up, open_current, set_aside
from alerting.database.schema import Schema
from alerting.outbox.store import Store
from alerting.outbox.tables import SCHEMA
from helpers.outbox import kept, messages


def opened(path: Path) -> tuple[Engine, str | None]:
    engine, said = open_current(path, SCHEMA)
    engine.dispose()
    return engine, said


def stamp(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()


def test_a_file_that_is_not_there_is_made_with_its_folder(tmp_path: Path) -> None:
    _, said = opened(tmp_path / "var" / "outbox.db")
    assert said is None
    assert (tmp_path / "var" / "outbox.db").exists()
    assert opened(tmp_path / "var" / "outbox.db")[1] is None


def test_a_damaged_page_is_found_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    engine, _ = open_current(path, SCHEMA)
    Store(engine).commit(kept(messages(200, size=1000)), ["webhook"], [], 0)
    engine.dispose()
    content = bytearray(path.read_bytes())
    content[4096 * 10 : 4096 * 30] = b"\xa5" * 4096 * 20
    path.write_bytes(content)
    _, said = opened(path)
    assert said is not None
    assert "was damaged" in said


def test_tables_of_a_later_version_are_set_aside(tmp_path: Path) -> None:
    opened(tmp_path / "outbox.db")
    stamp(tmp_path / "outbox.db", "9999")
    _, said = opened(tmp_path / "outbox.db")
    (aside,) = tmp_path.glob("outbox.db.aside-*")
    assert said == (
        "outbox.db has tables of a version this one does not know (9999) and was set aside as "
        f"{aside.name}: what it held unsent is not sent; the alerts are in alerts.json"
    )


def test_older_tables_are_migrated_after_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(tmp_path / "outbox.db")
    later = replace(SCHEMA, latest="0002")
    monkeypatch.setattr(
        Schema,
        "migrate",
        lambda _, connection: connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0002'"),
    )
    engine, said = open_current(tmp_path / "outbox.db", later)
    engine.dispose()
    (copy,) = tmp_path.glob("outbox.db.before-0002-*")
    assert said == f"outbox.db was migrated from revision {SCHEMA.latest} to 0002; a copy is {copy.name}"
    engine, said = open_current(tmp_path / "outbox.db", later)
    engine.dispose()
    assert said is None


def test_only_the_last_ones_set_aside_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / "outbox.db").write_text(str(number))
        (tmp_path / "outbox.db-wal").write_text(str(number))
        set_aside(tmp_path / "outbox.db", SCHEMA, "was damaged")
    found = sorted(path for path in tmp_path.iterdir() if not path.name.endswith("-wal"))
    assert [path.read_text() for path in found] == ["2", "3", "4"]
    assert len(list(tmp_path.iterdir())) == 6


def test_a_copy_replaces_nothing(tmp_path: Path) -> None:
    opened(tmp_path / "outbox.db")
    back_up(tmp_path / "outbox.db", tmp_path / "copy.db")
    with pytest.raises(FileExistsError, match=r"copy.db exists"):
        back_up(tmp_path / "outbox.db", tmp_path / "copy.db")
