from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.database.file import open_current
from alerting.outbox.store import Settlement, Store
from alerting.outbox.tables import SCHEMA
from helpers.outbox import kept, messages, rows_accounted

TRANSPORTS = ("one", "other")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    engine, _ = open_current(tmp_path / "outbox.db", SCHEMA)
    yield Store(engine)
    engine.dispose()


def due_ids(store: Store, transport: str, now: int) -> list[int]:
    return [each.seq for each in store.due(transport, now, 100)[0]]


def test_a_message_committed_twice_is_there_once(store: Store) -> None:
    store.commit(kept(messages(3)), TRANSPORTS, [], 0)
    store.commit(kept(messages(4)), TRANSPORTS, [], 0)
    assert store.messages() == 4
    assert store.counts(0)["one"].committed == 4


def test_what_waits_is_due_later_and_what_is_due_first_comes_first(store: Store) -> None:
    store.commit(kept(messages(3)), ["one"], [], 10)
    assert due_ids(store, "one", 9) == []
    assert due_ids(store, "one", 10) == [1, 2, 3]
    store.commit([], ["one"], [("one", [Settlement(1, "pending", 0, wait_us=50, error="no")])], 20)
    assert due_ids(store, "one", 69) == [2, 3]
    assert due_ids(store, "one", 70) == [2, 3, 1]
    settled = [Settlement(2, "delivered", 0), Settlement(3, "dead", 0, error="never")]
    store.commit([], ["one"], [("one", settled)], 30)
    assert store.due("one", 30, 10) == ([], 70)
    assert store.due("other", 30, 10) == ([], None)


def test_a_settlement_comes_too_late_for_what_is_settled(store: Store) -> None:
    store.commit(kept(messages(1)), ["one"], [], 0)
    once = [("one", [Settlement(1, "delivered", 0)])]
    for _ in range(2):
        store.commit([], ["one"], once, 1)
    counts = store.counts(1)["one"]
    assert (counts.delivered, counts.pending) == (1, 0)


def test_numbers_are_never_used_again(store: Store) -> None:
    store.commit(kept(messages(3)), [], [], 0)
    assert store.make_room() == 3
    store.commit(kept(messages(1, 10)), ["one"], [], 0)
    assert due_ids(store, "one", 0) == [4]


def test_running_time_is_kept(store: Store) -> None:
    assert store.running_us() == 0
    store.commit(kept(messages(1)), [], [], 123)
    assert store.running_us() == 123


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 6)),
        st.tuples(st.just("settle"), st.sampled_from(("delivered", "pending", "dead"))),
        st.tuples(st.just("give up"), st.integers(0, 40)),
        st.tuples(st.just("forget"), st.integers(0, 40)),
        st.tuples(st.just("make room"), st.just(0)),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None)
@given(OPERATIONS)
def test_committed_is_delivered_and_pending_and_dead_whatever_happens(
    operations: list[tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine, _ = open_current(Path(folder) / "outbox.db", SCHEMA)
        store, number = Store(engine), 0
        for now, (operation, value) in enumerate(operations):
            if operation == "add":
                store.commit(kept(messages(value, number)), TRANSPORTS[: 1 + now % 2], [], now)
                number += value
            elif operation == "settle":
                settled = [
                    (name, [Settlement(each.seq, str(value), 0) for each in store.due(name, now, 3)[0]])
                    for name in TRANSPORTS
                ]
                store.commit([], TRANSPORTS, settled, now)
            elif operation == "give up":
                store.give_up(now - value)
            elif operation == "forget":
                store.forget(now - value, now - 2 * value)
            else:
                store.make_room()
            for counts in store.counts(now).values():
                assert counts.committed == counts.delivered + counts.pending + counts.dead
        engine.dispose()
        rows_accounted(Path(folder) / "outbox.db")
