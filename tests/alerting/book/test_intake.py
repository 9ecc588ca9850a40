from __future__ import annotations

import threading

from alerting.book.intake import Intake
from alerting.book.store import Acknowledgement
from helpers.book import opening

MESSAGES = opening([f"10.0.0.{host}" for host in range(1, 6)])
SEEN = Acknowledgement("an alert", None)


def test_what_is_committed_leaves_and_what_failed_stays() -> None:
    intake = Intake()
    intake.put(MESSAGES)
    work = intake.work()
    assert work.alerts == MESSAGES
    assert intake.work().alerts == MESSAGES
    intake.done(work)
    assert (intake.waiting(), intake.committed, intake.empty()) == (0, 5, True)


def test_nobody_waits_for_room() -> None:
    intake = Intake(capacity=2)
    intake.put(MESSAGES)
    assert (intake.offered, intake.waiting(), intake.lost) == (5, 2, {"queue full": 3})
    intake.stop()
    intake.put(MESSAGES)
    assert intake.lost == {"queue full": 3, "stopped": 5}


def test_a_change_does_not_wait_for_more_messages() -> None:
    intake = Intake()
    intake.put(MESSAGES[:1])
    intake.done(intake.work())
    intake.put(MESSAGES[1:])
    waiting = threading.Thread(target=intake.wait, args=[60])
    waiting.start()
    answer = intake.ask(SEEN)
    waiting.join(60)
    (asked,) = intake.work().asked
    assert asked.answer is answer
    assert intake.work().asked == []


def test_the_end_counts_what_is_left_and_cancels_who_waits() -> None:
    intake = Intake()
    intake.put(MESSAGES)
    work = intake.work()
    answer = intake.ask(SEEN)
    intake.stop()
    assert intake.ask(SEEN).cancelled()
    assert intake.abandon() == 5
    assert answer.cancelled()
    intake.done(work)
    assert (intake.committed, intake.lost) == (0, {"stopped": 5})
