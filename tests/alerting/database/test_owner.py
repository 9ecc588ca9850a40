from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from alerting.database import owner as module
from alerting.database.owner import DatabaseOwner
from alerting.outbox.tables import SCHEMA
from helpers.server import wait_until


class Worker:
    """Does as told: raises what there is to raise, once each."""

    def __init__(self) -> None:
        self.raises: list[Exception] = []
        self.engines: list[Engine] = []
        self.turns = self.failures = 0
        self.stop = threading.Event()

    def opened(self, engine: Engine) -> None:
        self.engines.append(engine)

    def turn(self, engine: Engine) -> None:
        assert engine is self.engines[-1]
        if self.raises:
            raise self.raises.pop()
        self.turns += 1
        self.stop.wait(0.01)

    def failed(self) -> None:
        self.failures += 1

    def rest(self, seconds: float) -> None:
        self.stop.wait(seconds)

    def over(self) -> bool:
        return self.stop.is_set()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF_SECONDS", (0.01, 0.01))


def test_work_goes_on_after_a_failure_and_the_file_stays_open(tmp_path: Path) -> None:
    worker = Worker()
    worker.raises = [ValueError("a defect"), OSError("no space")]
    owner = DatabaseOwner("test", tmp_path / "a.db", SCHEMA, worker)
    owner.start()
    wait_until(lambda: worker.turns)
    wait_until(lambda: owner.error is None)
    assert (worker.failures, owner.restarts, len(worker.engines)) == (2, 2, 1)
    worker.stop.set()
    owner.join(60)
    assert not owner.running


def test_a_file_that_turns_out_damaged_is_opened_and_looked_at_again(tmp_path: Path) -> None:
    worker = Worker()
    owner = DatabaseOwner("test", tmp_path / "a.db", SCHEMA, worker)
    owner.start()
    wait_until(lambda: worker.turns)
    damage = Exception("database disk image is malformed")
    damage.sqlite_errorcode = 11  # type: ignore[attr-defined]
    worker.raises.append(DatabaseError("SELECT 1", None, damage))
    wait_until(lambda: len(worker.engines) == 2)
    wait_until(lambda: owner.error is None)
    assert worker.engines[0] is not worker.engines[1]
    assert owner.notes == ()
    worker.stop.set()
    owner.join(60)


def test_a_path_that_cannot_be_opened_is_said_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    worker = Worker()
    owner = DatabaseOwner("test", tmp_path / "file" / "a.db", SCHEMA, worker)
    owner.start()
    wait_until(lambda: owner.error)
    assert owner.error
    assert owner.error.endswith("; make STATE_DIR writable, with room on its disk")
    worker.stop.set()
    owner.join(60)
