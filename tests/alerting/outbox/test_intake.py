from __future__ import annotations

import threading

from alerting.outbox.intake import GROUP, Intake
from alerting.outbox.store import Settlement
from helpers.outbox import kept, messages


def test_nothing_leaves_before_it_is_done() -> None:
    intake = Intake()
    intake.put(kept(messages(3)))
    intake.settle("one", [Settlement(1, "delivered", 0)])
    first, second = intake.work(), intake.work()
    assert first == second
    intake.done(first)
    assert intake.empty()
    assert (intake.offered, intake.committed) == (3, 3)


def test_a_group_has_a_limit() -> None:
    intake = Intake()
    intake.put(kept(messages(GROUP + 1)))
    assert len(intake.work().messages) == GROUP


def test_whoever_puts_waits_for_room_while_commits_succeed() -> None:
    intake = Intake(capacity_bytes=1000)
    intake.put(kept(messages(1, size=900)))
    putting = threading.Thread(target=intake.put, args=(kept(messages(1, 1, size=900)), 60))
    putting.start()
    intake.done(intake.work())
    putting.join(60)
    assert (intake.offered, intake.lost.total(), intake.waiting()[0]) == (2, 0, 1)


def test_without_room_in_time_the_latest_are_counted_as_lost() -> None:
    intake = Intake(capacity_bytes=1000)
    intake.put(kept(messages(3, size=900)), patience=0)
    assert (intake.offered, dict(intake.lost), intake.waiting()[0]) == (3, {"memory full": 2}, 1)


def test_a_message_larger_than_the_room_goes_alone() -> None:
    intake = Intake(capacity_bytes=10)
    intake.put(kept(messages(1)), patience=0)
    assert intake.waiting()[0] == 1


def test_stopping_gives_nobody_a_page() -> None:
    intake = Intake()
    before = intake.ask("one", 10)
    intake.stop()
    assert before.cancelled()
    assert intake.ask("one", 10).cancelled()


def test_what_was_abandoned_is_not_done_afterwards() -> None:
    intake = Intake()
    intake.put(kept(messages(2)))
    work = intake.work()
    intake.stop()
    assert intake.abandon() == 2
    intake.done(work)
    assert (intake.offered, intake.committed, intake.lost["stopped"]) == (2, 0, 2)
