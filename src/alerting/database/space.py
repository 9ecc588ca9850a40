"""How much of a database's file holds something, and giving the rest back."""

from __future__ import annotations

from contextlib import closing

from sqlalchemy import Connection, Engine


def used_bytes(engine: Engine) -> int:
    """Return how much of the file holds something."""
    with engine.connect() as connection:
        pages, free, size = (
            _pragma(connection, name) for name in ("page_count", "freelist_count", "page_size")
        )
        return (pages - free) * size


def shrink(engine: Engine, pages: int) -> None:
    """Give free pages back to the disk."""
    with closing(engine.raw_connection()) as connection:
        # Only a script runs this to its end: it is a statement of many steps and no rows.
        connection.cursor().executescript(f"PRAGMA incremental_vacuum({pages})")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
