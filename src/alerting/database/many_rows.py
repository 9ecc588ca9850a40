"""Rows by the thousand, given to the driver as they are: SQLAlchemy takes as long over each as SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Insert
from sqlalchemy.dialects.sqlite.pysqlite import dialect


class ManyRows:
    """An INSERT whose values the driver takes without conversion: numbers, texts, bytes and None."""

    def __init__(self, statement: Insert, columns: Sequence[str]) -> None:
        """Compile a statement that gives `columns`, at least two, values."""
        compiled = statement.compile(dialect=dialect(), column_keys=list(columns))
        self._sql = str(compiled)
        self._ordered = itemgetter(*(compiled.positiontup or ()))

    def execute(self, connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
        """Write rows, dictionaries by column, within the connection's transaction."""
        if rows:
            connection.exec_driver_sql(self._sql, list(map(self._ordered, rows)))
