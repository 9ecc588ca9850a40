from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerting.alert_stream import AlertStream
from alerting.outbox.outbox import Outbox
from alerting.outbox.writer import Limits
from alerting.policy import AlertPolicy
from alerting.transports.transport import Rejected
from helpers.alerts import HandClock, attacks
from helpers.outbox import ToldTransport, fails, messages, rows_accounted, settled
from helpers.server import wait_until

HOUR = 3600.0


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Any]:
    """Makes outboxes on one file, each stopped in the end."""
    made: list[Outbox] = []

    def make(*transports: ToldTransport, **options: Any) -> Outbox:
        outbox = Outbox(tmp_path / "outbox.db", transports, **options)
        outbox.start()
        made.append(outbox)
        return outbox

    yield make
    for outbox in made:
        outbox.stop(10)


def test_every_message_is_committed_and_delivered_by_every_transport(opened: Any, tmp_path: Path) -> None:
    one, other = ToldTransport("one"), ToldTransport("other", batch=1)
    outbox = opened(one, other)
    outbox.put(messages(25))
    status = settled(outbox, lambda status: [each.delivered for each in status.transports] == [25, 25])
    assert (status.committed, status.lost, status.error) == (25, {}, None)
    assert one.delivered == other.delivered == [f"message-{number}" for number in range(25)]
    outbox.stop(10)
    assert rows_accounted(tmp_path / "outbox.db") == {"one": {"delivered": 25}, "other": {"delivered": 25}}


def test_alerts_raised_are_those_committed(opened: Any) -> None:
    transport = ToldTransport()
    outbox = opened(transport)
    stream = AlertStream(AlertPolicy(aggregated={"sidecar"}), {"outbox": outbox.take})
    stream.take(*attacks(["10.0.0.1", "10.0.0.1", "10.0.0.2"]), "sidecar")
    stream.take(*attacks(["10.0.0.1"] * 10), "api")
    stream.close()
    status = settled(outbox, lambda status: status.transports[0].delivered == 14)
    policy = stream.status().policy
    assert policy.taken == policy.aggregated + sum(policy.suppressed.values()) == 13
    assert policy.messages == status.committed == 14
    assert len(set(transport.delivered)) == 14


def test_without_a_transport_messages_are_kept(opened: Any) -> None:
    outbox = opened()
    outbox.put(messages(3))
    status = settled(outbox, lambda status: status.messages == 3)
    assert (status.committed, status.transports) == (3, ())


def test_a_queue_that_is_away_for_half_an_hour_gets_everything_in_the_end(opened: Any) -> None:
    hand = HandClock()
    away = ToldTransport(does=fails)
    outbox = opened(away, clock=hand.clock)
    for minute in range(30):
        outbox.put(messages(10, minute * 10))
        settled(outbox)
        hand.pass_(60)
        outbox.wake()
    wait_until(lambda: len(away.attempts) > 1)
    status = settled(outbox, lambda status: status.transports[0].pending == 300)
    assert status.transports[0].error == "ConnectionError: the queue is down"
    assert len(away.attempts) < 30 * 60 / 5
    away.does = None

    def delivered(status: Any) -> bool:
        hand.pass_(60)
        outbox.wake()
        return bool(status.transports[0].delivered == 300)

    status = settled(outbox, delivered)
    assert sorted(set(away.delivered)) == sorted(f"message-{number}" for number in range(300))
    assert status.transports[0].error is None


def test_a_transport_that_hangs_delays_no_other(opened: Any) -> None:
    go_on = threading.Event()

    def hangs(some: Any) -> list[None]:
        go_on.wait(60)
        return [None] * len(some)

    slow, quick = ToldTransport("slow", does=hangs), ToldTransport("quick")
    outbox = opened(slow, quick)
    outbox.put(messages(100))
    settled(outbox, lambda status: [each.delivered for each in status.transports] == [100, 0])
    assert len(slow.attempts) == 1
    go_on.set()
    settled(outbox, lambda status: [each.delivered for each in status.transports] == [100, 100])


def test_a_message_that_fails_is_attempted_again_and_holds_up_no_other(opened: Any) -> None:
    hand = HandClock()
    failing = {"message-3"}
    transport = ToldTransport(
        batch=4,
        does=lambda some: ["throttled" if each.message_id in failing else None for each in some],
    )
    outbox = opened(transport, clock=hand.clock)
    outbox.put(messages(8))
    status = settled(outbox, lambda status: status.transports[0].delivered == 7)
    assert (status.transports[0].pending, status.transports[0].failures) == (1, 1)
    failing.clear()
    hand.pass_(3)
    outbox.wake()
    settled(outbox, lambda status: status.transports[0].delivered == 8)


def test_a_message_refused_for_good_is_dead_at_once(opened: Any) -> None:
    transport = ToldTransport(
        does=lambda some: [Rejected("too large") if each.message_id == "message-1" else None for each in some]
    )
    outbox = opened(transport)
    outbox.put(messages(3))
    status = settled(outbox, lambda status: status.transports[0].dead == 1)
    assert (status.transports[0].delivered, status.transports[0].pending) == (2, 0)
    assert len(transport.attempts) == 1


def test_a_delivery_is_given_up_at_its_age(opened: Any) -> None:
    hand = HandClock()
    transport = ToldTransport(does=fails)
    outbox = opened(transport, clock=hand.clock, limits=Limits(dead_after_hours=2))
    outbox.put(messages(3))
    settled(outbox, lambda status: status.transports[0].pending == 3)
    hand.pass_(1.9 * HOUR)
    outbox.put(messages(1, 3))
    settled(outbox, lambda status: status.transports[0].pending == 4)
    hand.pass_(0.2 * HOUR)
    outbox.wake()
    status = settled(outbox, lambda status: status.transports[0].dead == 3)
    assert status.transports[0].pending == 1


def test_a_clock_that_is_set_makes_nothing_old(opened: Any) -> None:
    hand = HandClock()
    transport = ToldTransport(does=fails)
    outbox = opened(transport, clock=hand.clock, limits=Limits(dead_after_hours=2))
    outbox.put(messages(3))
    settled(outbox, lambda status: status.transports[0].pending == 3)
    for year in (+1, -3):
        hand.us += int(year * 365 * 24 * HOUR * 1e6)
        outbox.put(messages(1, 10 + year))
        settled(outbox)
        hand.pass_(120)
        outbox.wake()
    transport.does = None

    def delivered(status: Any) -> bool:
        hand.pass_(60)
        outbox.wake()
        return bool(status.transports[0].delivered == 5)

    assert settled(outbox, delivered).transports[0].dead == 0


def test_days_switched_off_make_nothing_old(opened: Any, tmp_path: Path) -> None:
    hand = HandClock()
    limits = Limits(dead_after_hours=2)
    outbox = opened(ToldTransport(does=fails), clock=hand.clock, limits=limits)
    outbox.put(messages(3))
    settled(outbox, lambda status: status.transports[0].failures)
    outbox.stop(10)
    hand.pass_(72 * HOUR)
    again = ToldTransport()
    settled(
        opened(again, clock=hand.clock, limits=limits), lambda status: status.transports[0].delivered == 3
    )
    assert sorted(again.delivered) == ["message-0", "message-1", "message-2"]


def test_what_a_transport_no_longer_configured_did_not_deliver_is_shown_and_kept(opened: Any) -> None:
    outbox = opened(ToldTransport("away", does=fails))
    outbox.put(messages(3))
    settled(outbox, lambda status: status.transports[0].pending == 3)
    outbox.stop(10)
    outbox = opened(ToldTransport("other"))
    status = settled(outbox, lambda status: len(status.transports) == 2)
    assert [(each.name, each.configured, each.pending) for each in status.transports] == [
        ("away", False, 3),
        ("other", True, 0),
    ]


def test_a_full_outbox_loses_the_oldest_and_counts_them(opened: Any, tmp_path: Path) -> None:
    transport = ToldTransport(does=fails)
    outbox = opened(transport, limits=Limits(max_bytes=2_000_000))
    for first in range(0, 3000, 100):
        outbox.put(messages(100, first, size=2000))
    status = settled(
        outbox, lambda status: status.messages == 3000 - status.deleted and status.deleted > 1000
    )
    (told,) = status.transports
    assert (told.committed, told.dead, told.discarded) == (3000, status.deleted, status.deleted)
    assert status.bytes <= 2_000_000
    outbox.stop(10)
    assert (tmp_path / "outbox.db").stat().st_size < 8_000_000
    transport = ToldTransport()
    opened(transport)
    wait_until(lambda: transport.delivered[-1:] == ["message-2999"])


def test_delivered_messages_are_deleted_before_others(opened: Any) -> None:
    stuck = {f"message-{number}" for number in range(0, 100, 10)}
    transport = ToldTransport(does=lambda some: ["no" if each.message_id in stuck else None for each in some])
    outbox = opened(transport, limits=Limits(max_bytes=1_000_000))
    for first in range(0, 2000, 500):
        outbox.put(messages(500, first, size=500))
        settled(outbox, lambda status, want=first + 490: status.transports[0].delivered == want)
    status = settled(outbox, lambda status: status.deleted > 500)
    assert (status.transports[0].pending, status.transports[0].dead) == (10, 0)


def test_delivered_messages_are_deleted_in_time(opened: Any) -> None:
    hand = HandClock()
    outbox = opened(ToldTransport(), clock=hand.clock, limits=Limits(keep_hours=1))
    outbox.put(messages(1200))
    settled(outbox, lambda status: status.transports[0].delivered == 1200)
    hand.pass_(2 * HOUR)
    outbox.put(messages(1, 5000))
    status = settled(outbox, lambda status: status.messages == 1)
    assert (status.deleted, status.transports[0].delivered) == (1200, 1201)


def test_when_memory_is_full_and_the_disk_takes_nothing_losses_are_counted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outbox = Outbox(tmp_path / "file" / "outbox.db", [ToldTransport()], capacity_bytes=5000)
    outbox.start()
    wait_until(lambda: outbox.status().error)
    for number in range(10):
        outbox.put(messages(1, number, size=900))
    status = outbox.status()
    assert status.lost == {"memory full": 6}
    assert (status.offered, status.waiting, status.committed) == (10, 4, 0)
    assert status.waiting_bytes <= status.capacity_bytes == 5000
    assert "make STATE_DIR writable" in str(status.error)
    (tmp_path / "file").unlink()
    status = settled(outbox, lambda status: status.transports[0].delivered == 4)
    assert (status.error, status.committed) == (None, 4)
    outbox.stop(10)


def test_what_cannot_be_committed_until_the_end_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    outbox = Outbox(tmp_path / "file" / "outbox.db")
    outbox.start()
    outbox.put(messages(3))
    outbox.stop(0.5)
    outbox.put(messages(1, 3))
    status = outbox.status()
    assert (status.offered, status.lost) == (4, {"stopped": 4})


def test_a_damaged_file_is_set_aside(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"this is no database" * 1000)
    transport = ToldTransport()
    outbox = opened(transport)
    outbox.put(messages(3))
    status = settled(outbox, lambda status: status.transports[0].delivered == 3)
    (note,) = status.notes
    (aside,) = tmp_path.glob("outbox.db.aside-*")
    assert f"was set aside as {aside.name}" in note
    assert aside.read_bytes().startswith(b"this is no database")


def test_a_file_that_breaks_while_it_is_used_is_set_aside_and_nothing_in_memory_lost(
    opened: Any, tmp_path: Path
) -> None:
    transport = ToldTransport()
    outbox = opened(transport)
    outbox.put(messages(500, size=2000))
    settled(outbox, lambda status: status.transports[0].delivered == 500)
    path = tmp_path / "outbox.db"
    numbers = itertools.count(1000)
    with path.open("r+b") as stream:
        stream.write(b"\xff" * path.stat().st_size)
    (tmp_path / "outbox.db-wal").write_bytes(b"\xff" * 100_000)

    def set_aside() -> bool:
        outbox.put(messages(1, next(numbers)))
        return bool(outbox.status().notes)

    wait_until(set_aside)
    outbox.put(messages(3, 9000))
    settled(outbox, lambda _: "message-9002" in transport.delivered)
    assert list(tmp_path.glob("outbox.db.aside-*"))
    sent = {name for name in transport.delivered if int(name.split("-")[1]) >= 1000}
    assert sent == {f"message-{n}" for n in [*range(1000, next(numbers)), 9000, 9001, 9002]}


def test_a_transport_that_breaks_the_contract_is_a_failure_like_any(opened: Any) -> None:
    class Silent(ToldTransport):
        def send(self, messages: Any) -> list[None]:
            return []

    outbox = opened(Silent())
    outbox.put(messages(2))
    status = settled(
        outbox, lambda status: status.transports[0].failures and status.transports[0].pending == 2
    )
    assert status.transports[0].error == "ValueError: 0 results for 2 messages"
    assert status.transports[0].running


def test_stopping_closes_the_transports(opened: Any) -> None:
    transport = ToldTransport()
    outbox = opened(transport)
    outbox.stop(10)
    assert transport.closed.is_set()
