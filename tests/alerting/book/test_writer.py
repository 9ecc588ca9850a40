from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from alerting.book.store import BookStore
from helpers.book import all_alerts, open_book, opening, written
from helpers.server import wait_until

CHILD = """
import sys, time
from pathlib import Path
from helpers.book import opening, written
from alerting.book.book import AlertBook
book = AlertBook(Path(sys.argv[1]))
book.start()
messages = opening([f"10.0.{net}.{host}" for net in range(5) for host in range(1, 101)])
book.take(messages)
written(book)
book.acknowledge(messages[0].alert_id, "eve")
book.label(messages[1].alert_id, "true_positive", "DDoS", "seen", "eve")
print("committed", flush=True)
while True:
    book.take(opening(["10.9.9.9"] * 3))
    time.sleep(0.001)
"""


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    tests = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tests), str(tests.parent / "src")])}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "alerts.db")],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert child.stdout
        assert child.stdout.readline() == "committed\n"
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    with open_book(tmp_path / "alerts.db") as book:
        wait_until(lambda: book.status().alerts >= 500)
        assert book.status().notes == ()
        every = all_alerts(book, address="10.0.0.0/16", limit=1000)
        assert len(every) == 500
        assert [alert["acknowledged_by"] for alert in every if alert["acknowledged"]] == ["eve"]
        assert [alert["feedback"]["label"] for alert in every if alert["feedback"]] == ["DDoS"]
        assert len(book.labelled("improved").table) == 1


def test_messages_wait_until_the_disk_takes_them_and_who_changes_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = BookStore.commit
    broken = True

    def commit(self: BookStore, *args: object) -> object:
        if broken:
            raise OSError("no space left on device")
        return real(self, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(BookStore, "commit", commit)
    with open_book(tmp_path / "alerts.db") as book:
        book.take(opening(["10.0.0.1"]))
        wait_until(lambda: book.status().error)
        status = book.status()
        assert status.error == (
            "alerts.db: no space left on device; make STATE_DIR writable, with room on its disk"
        )
        assert (status.running, status.waiting) == (True, 1)
        with pytest.raises(OSError, match="cannot be written: no space left"):
            book.acknowledge("an alert", None)
        broken = False
        assert len(all_alerts(written(book))) == 1
        wait_until(lambda: book.status().error is None)
        assert book.status().restarts > 0
