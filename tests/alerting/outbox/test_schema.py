from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from alerting.outbox.database import open_engine
from alerting.outbox.schema import LATEST, create, known_revisions, migrate, revision
from alerting.outbox.tables import METADATA


@pytest.mark.parametrize("make", [create, migrate])
def test_both_ways_make_the_tables_that_the_code_uses(
    tmp_path: Path, make: Callable[[Connection], None]
) -> None:
    engine = open_engine(tmp_path / "outbox.db")
    with engine.begin() as connection:
        assert revision(connection) is None
        make(connection)
    with engine.connect() as connection:
        assert revision(connection) == LATEST
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        indexes = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'index'").scalars()
        assert sum("WHERE state = " in str(sql) for sql in indexes) == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


def test_the_latest_revision_is_known() -> None:
    assert LATEST in known_revisions()
