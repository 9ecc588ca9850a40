from __future__ import annotations

from pathlib import Path

from alerting.database.file import open_current
from alerting.database.space import shrink, used_bytes
from alerting.outbox.store import Store
from alerting.outbox.tables import SCHEMA
from helpers.outbox import kept, messages


def test_what_is_deleted_is_no_longer_used_and_given_back(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    engine, _ = open_current(path, SCHEMA)
    empty = used_bytes(engine)
    Store(engine).commit(kept(messages(100, size=10_000)), [], [], 0)
    full = used_bytes(engine)
    assert full > empty + 1_000_000
    while Store(engine).make_room():
        pass
    assert used_bytes(engine) < full / 10
    shrink(engine, 10_000)
    engine.dispose()
    assert path.stat().st_size < full / 10
