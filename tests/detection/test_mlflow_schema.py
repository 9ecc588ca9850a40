from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from detection.mlflow_schema import found_revision, is_outdated, sqlite_file, upgrade


def with_revision(path: Path, revision: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.commit()
    return path


def test_a_registry_that_is_a_file_is_known_by_its_address() -> None:
    assert sqlite_file("sqlite:////var/lib/mlflow.db") == Path("/var/lib/mlflow.db")
    assert sqlite_file("http://127.0.0.1:5000") is None
    assert sqlite_file("postgresql://user:secret@db/mlflow") is None
    assert sqlite_file("nonsense") is None


def test_what_is_there_is_read_without_changing_it(tmp_path: Path) -> None:
    assert found_revision(tmp_path / "none.db") is None
    (tmp_path / "other.db").write_text("no database")
    assert found_revision(tmp_path / "other.db") is None
    file = with_revision(tmp_path / "old.db", "451aebb31d03")
    before = file.read_bytes()
    assert found_revision(file) == "451aebb31d03"
    assert file.read_bytes() == before


def test_only_an_earlier_mlflows_tables_are_outdated(tmp_path: Path) -> None:
    assert is_outdated(with_revision(tmp_path / "old.db", "451aebb31d03"))
    assert not is_outdated(with_revision(tmp_path / "unknown.db", "later"))
    assert not is_outdated(tmp_path / "none.db")


def test_an_upgrade_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"mlflow db upgrade failed: .+"):
        upgrade(f"sqlite:///{with_revision(tmp_path / 'unknown.db', 'later')}")
