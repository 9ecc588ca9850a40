"""Which revision of its tables an outbox has, and how it gets the latest."""

from __future__ import annotations

from typing import Final

# Here, before there are threads: where two import it at once, one may get half of it.
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from alerting.outbox.tables import METADATA

LATEST: Final = "0001"
SCRIPTS: Final = "alerting.outbox:migrations"


def revision(connection: Connection) -> str | None:
    """Return a database's revision, None when it has no tables yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def known_revisions() -> set[str]:
    """Return every revision that this version of the project knows."""
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    return {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}


def create(connection: Connection) -> None:
    """Make the `LATEST` tables in an empty database.

    Not by Alembic: its operations are the process's, and MLflow may be making its own tables.
    """
    METADATA.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:latest)"), {"latest": LATEST})


def migrate(connection: Connection) -> None:
    """Bring a database's tables to `LATEST`, within the connection's transaction."""
    config = Config()
    config.set_main_option("script_location", SCRIPTS)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
