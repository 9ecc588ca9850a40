from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from alerting.outbox.database import open_engine
from alerting.outbox.schema import LATEST, known_revisions, migrate, revision
from alerting.outbox.tables import METADATA


def test_the_migrations_make_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    engine = open_engine(tmp_path / "outbox.db")
    with engine.begin() as connection:
        assert revision(connection) is None
        migrate(connection)
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
