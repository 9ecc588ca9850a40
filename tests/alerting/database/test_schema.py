from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from alerting.book.tables import SCHEMA as BOOK
from alerting.database.file import open_engine
from alerting.database.schema import Schema, revision
from alerting.outbox.tables import SCHEMA as OUTBOX

SCHEMAS = pytest.mark.parametrize("schema", [OUTBOX, BOOK], ids=["outbox", "book"])


@SCHEMAS
@pytest.mark.parametrize("make", [Schema.create, Schema.migrate])
def test_both_ways_make_the_tables_that_the_code_uses(tmp_path: Path, make: object, schema: Schema) -> None:
    assert callable(make)
    engine = open_engine(tmp_path / "a.db")
    with engine.begin() as connection:
        assert revision(connection) is None
        make(schema, connection)
    with engine.connect() as connection:
        assert revision(connection) == schema.latest
        assert compare_metadata(MigrationContext.configure(connection), schema.tables) == []
        indexes = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE type = 'index'").scalars()
        partial = sum("WHERE " in str(sql) for sql in indexes)
        assert partial == sum(
            index.dialect_options["sqlite"]["where"] is not None
            for table in schema.tables.tables.values()
            for index in table.indexes
        )
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA auto_vacuum").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


@SCHEMAS
def test_the_latest_revision_is_known(schema: Schema) -> None:
    assert schema.latest in schema.known_revisions()
