"""Which revision of its tables a database has, and how it gets the latest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# Here, before there are threads: where two import it at once, one may get half of it.
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text

ENVIRONMENT: Final = "alerting.database:migrations"


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of one kind of database.

    Attributes:
        tables: those of the `latest` revision.
        latest: the newest revision.
        migrations: where the scripts are that make the tables of older ones, PACKAGE:FOLDER.
        loss: what it means that a database is set aside.
    """

    tables: MetaData
    latest: str
    migrations: str
    loss: str

    def known_revisions(self) -> set[str]:
        """Return every revision that this version of the project knows."""
        scripts = ScriptDirectory.from_config(self._config())
        return {script.revision for script in scripts.walk_revisions()}

    def create(self, connection: Connection) -> None:
        """Make the `latest` tables in an empty database.

        Not by Alembic: its operations are the process's, and MLflow may be making its own tables.
        """
        self.tables.create_all(connection)
        connection.execute(
            text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        )
        connection.execute(text("INSERT INTO alembic_version VALUES (:latest)"), {"latest": self.latest})

    def migrate(self, connection: Connection) -> None:
        """Bring a database's tables to `latest`, within the connection's transaction."""
        config = self._config()
        config.attributes.update(connection=connection, tables=self.tables)
        command.upgrade(config, "head")

    def _config(self) -> Config:
        config = Config()
        config.set_main_option("script_location", ENVIRONMENT)
        config.set_main_option("path_separator", "newline")
        config.set_main_option("version_locations", self.migrations)
        return config


def revision(connection: Connection) -> str | None:
    """Return a database's revision, None when it has no tables yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
