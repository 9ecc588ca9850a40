"""A SQLite file: opened, brought to the latest tables, and set aside when it is damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from alerting.database.schema import Schema, revision

BUSY_SECONDS: Final = 10.0
SET_ASIDE_KEPT: Final = 3
_CORRUPT: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_PRAGMAS: Final = (
    "auto_vacuum=INCREMENTAL",  # must come before the first table
    "journal_mode=WAL",
    "synchronous=FULL",  # what is committed survives a power failure
    "journal_size_limit=16000000",
)


def open_engine(path: Path, *, reading: bool = False) -> Engine:
    """Return an engine for a file, which is not touched yet; any thread may use it.

    Transactions wait for each other, unless they only read: those see what was committed before them.
    """
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )
    event.listen(engine, "connect", _prepare_to_read if reading else _prepare)
    event.listen(engine, "begin", _begin_reading if reading else _begin)
    return engine


def open_current(path: Path, schema: Schema) -> tuple[Engine, str | None]:
    """Return an engine for a file of the latest tables, and what was done to it that should be said.

    A file that does not exist is made. Older tables are migrated, after a copy was made. A file that is
    damaged, or of a later version of the project, is set aside and another one begun.

    Raises:
        OSError, DBAPIError: there is no using it: the disk is full, not writable, or the like.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = open_engine(path)
    try:
        return engine, _bring_up_to_date(engine, path, schema)
    except DBAPIError as error:
        engine.dispose()
        if _code(error) not in _CORRUPT:
            raise
        said = set_aside(path, schema, f"was damaged ({error.orig})")
    except LookupError as error:
        engine.dispose()
        said = set_aside(path, schema, str(error))
    engine = open_engine(path)
    _bring_up_to_date(engine, path, schema)
    return engine, said


def set_aside(path: Path, schema: Schema, why: str) -> str:
    """Rename a file so that another one is begun, and return what to say of it.

    The last `SET_ASIDE_KEPT` are kept.
    """
    aside = path.with_name(f"{path.name}.aside-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for suffix in ("-wal", "-shm", ""):
        source = path.with_name(path.name + suffix)
        if source.exists():
            source.rename(aside.with_name(aside.name + suffix))
    kept = sorted(
        each for each in path.parent.glob(f"{path.name}.aside-*") if each.suffix[-4:] not in ("-wal", "-shm")
    )
    for old in kept[:-SET_ASIDE_KEPT]:
        for suffix in ("-wal", "-shm", ""):
            old.with_name(old.name + suffix).unlink(missing_ok=True)
    return f"{path.name} {why} and was set aside as {aside.name}: {schema.loss}"


def is_damage(error: DBAPIError) -> bool:
    """Return whether an error says that the file, or the disk below it, is damaged."""
    return _code(error) in {*_CORRUPT, sqlite3.SQLITE_IOERR}


def back_up(path: Path, copy: Path) -> None:
    """Copy a SQLite database, which others may be writing, to a file that does not exist yet.

    Raises:
        OSError: the copy exists.
        sqlite3.Error: one of the two cannot be used.
    """
    if copy.exists():
        raise FileExistsError(f"{copy} exists")
    with _connected(path) as source, _connected(copy) as target:
        source.backup(target)


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        yield connection
    finally:
        connection.close()


def _bring_up_to_date(engine: Engine, path: Path, schema: Schema) -> str | None:
    """Return what was done that should be said.

    Raises:
        LookupError: the file is of a later version of the project, or another program's.
    """
    with engine.connect() as connection:
        found = revision(connection)
        _check(connection)
    if found == schema.latest:
        return None
    said = None
    if found is not None:
        if found not in schema.known_revisions():
            raise LookupError(f"has tables of a version this one does not know ({found})")
        copy = path.with_name(f"{path.name}.before-{schema.latest}-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        back_up(path, copy)
        said = f"{path.name} was migrated from revision {found} to {schema.latest}; a copy is {copy.name}"
    with engine.begin() as connection:
        (schema.create if found is None else schema.migrate)(connection)
    return said


def _check(connection: Connection) -> None:
    (found,) = connection.exec_driver_sql("PRAGMA quick_check(1)").one()
    if found != "ok":
        damage = sqlite3.DatabaseError(found)
        damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise DBAPIError("PRAGMA quick_check", None, damage)


def _code(error: DBAPIError) -> int | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    # The driver's own transactions begin too late: a read within one could not become a write.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_to_read(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON")


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
