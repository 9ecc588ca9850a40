"""The state of an earlier version brought to what this one wants, after a copy was made."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from alerting.book.tables import SCHEMA as BOOK
from alerting.database.file import back_up, open_current, open_engine
from alerting.database.schema import Schema, revision
from alerting.outbox.tables import SCHEMA as OUTBOX
from detection.mlflow_schema import found_revision, is_outdated, sqlite_file, upgrade
from inference_server.central.tables import SCHEMA as SPOOL
from inference_server.sensors.tables import SCHEMA as SENSORS
from inference_server.settings import Settings

BACKUPS: Final = "backups"


def upgrade_state(settings: Settings) -> Iterator[str]:
    """Back up and migrate STATE_DIR; yields what to say of each step.

    Raises:
        OSError: STATE_DIR cannot be read or written.
        ValueError: a step failed; what was there before is in the copy that was named.
    """
    if not settings.state_dir.is_dir():
        raise ValueError(
            f"{settings.state_dir} does not exist: there is nothing to upgrade; is STATE_DIR right?"
        )
    copy = _copied(settings.state_dir)
    yield f"copied the databases and files of {settings.state_dir} to {copy}"
    yield _registry(settings)
    yield _database(settings.outbox_file, OUTBOX)
    yield _database(settings.alerts_file, BOOK)
    yield _database(settings.spool_file, SPOOL)
    yield _database(settings.sensors_file, SENSORS)


def _copied(state_dir: Path) -> Path:
    copy = state_dir / BACKUPS / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    copy.mkdir(parents=True)
    for file in sorted(state_dir.iterdir()):
        if not file.is_file() or file.name.endswith(("-wal", "-shm")):
            continue
        if file.suffix == ".db":
            try:
                back_up(file, copy / file.name)
                continue
            except sqlite3.Error:
                (copy / file.name).unlink(missing_ok=True)
        shutil.copy2(file, copy / file.name)
    return copy


def _registry(settings: Settings) -> str:
    uri = settings.tracking_uri
    file = sqlite_file(uri)
    if file is None:
        return "the registry is a server's: whoever runs it upgrades it, with mlflow db upgrade"
    before = found_revision(file)
    if before is None:
        return f"{file.name} does not exist or has no tables: the service makes them"
    if not is_outdated(file):
        return f"{file.name} is as this version wants it"
    upgrade(uri)
    return f"{file.name}: MLflow's tables migrated from {before} to {found_revision(file)}"


def _database(file: Path, schema: Schema) -> str:
    if not file.exists():
        return f"{file.name} does not exist: the service makes it"
    try:
        engine = open_engine(file)
        with engine.connect() as connection:
            current = revision(connection) == schema.latest
        engine.dispose()
        if current:
            return f"{file.name} is as this version wants it"
        engine, said = open_current(file, schema)
        engine.dispose()
    except DBAPIError as error:
        return f"{file.name} cannot be used ({error.orig}): the service sets it aside when it starts"
    return said or f"{file.name} has its tables"
