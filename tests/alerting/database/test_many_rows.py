from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from alerting.database.file import open_current
from alerting.database.many_rows import ManyRows
from alerting.outbox.tables import MESSAGES, SCHEMA


def test_rows_are_those_that_sqlalchemy_would_write(tmp_path: Path) -> None:
    engine, _ = open_current(tmp_path / "outbox.db", SCHEMA)
    rows: list[dict[str, Any]] = [
        {
            "seq": seq,
            "message_id": f"m{seq}",
            "kind": "alert",
            "made_us": 2**60,
            "committed": 0,
            "body": b"\0",
        }
        for seq in (1, 2)
    ]
    with engine.begin() as connection:
        ManyRows(insert(MESSAGES), MESSAGES.c.keys()).execute(connection, rows)
        ManyRows(insert(MESSAGES), MESSAGES.c.keys()).execute(connection, [])
        found = [dict(row._mapping) for row in connection.execute(select(MESSAGES))]
    engine.dispose()
    assert found == rows
