"""What is done to the outbox's tables, each in one transaction. One thread calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, case, delete, func, insert, literal, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from alerting.outbox.tables import (
    COUNTERS,
    DEAD,
    DELIVERED,
    DELIVERIES,
    IS_DEAD,
    IS_PENDING,
    MESSAGES,
    PENDING,
    RUNNING_US,
    TOTALS,
)

AT_ONCE: Final = 500
"""Messages deleted in one transaction."""

ROOM: Final = 100
"""Messages deleted in one transaction to make room."""

LOOKED_AT: Final = 10_000
"""Among how many of the oldest messages one is looked for that is settled."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message to be committed, encoded."""

    message_id: str
    kind: str
    made_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of an attempt to deliver a message.

    Attributes:
        seq: the message's number.
        state: delivered, dead, or pending when it is to be attempted again.
        attempted_us: when it was attempted, UTC microseconds.
        wait_us: running time to the next attempt.
        error: what went wrong, None when nothing did.
    """

    seq: int
    state: str
    attempted_us: int
    wait_us: int = 0
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A message to be delivered now, how often that was attempted, and its bytes."""

    seq: int
    attempts: int
    body: bytes


@dataclass(frozen=True, slots=True)
class TransportCounts:
    """Deliveries of one transport: committed = delivered + pending + dead.

    Attributes:
        committed: messages it was to deliver.
        delivered: those it did.
        pending: those it is still to deliver; counted from their rows.
        dead: those given up; those that still have a row can be retried.
        discarded: of these, those deleted.
        oldest_us: running time since the oldest pending one became so; 0 without any.
    """

    committed: int
    delivered: int
    pending: int
    dead: int
    discarded: int
    oldest_us: int


class Store:
    """The tables of one open outbox."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def running_us(self) -> int:
        """Return the running time that earlier starts reached."""
        with self._engine.begin() as connection:
            wanted = select(COUNTERS.c.value).where(COUNTERS.c.name == RUNNING_US)
            return connection.execute(wanted).scalar() or 0

    def attempt_all_at(self, now_us: int) -> None:
        """Make every pending delivery due."""
        with self._engine.begin() as connection:
            connection.execute(update(DELIVERIES).where(IS_PENDING).values(due=now_us))

    def commit(
        self,
        messages: Sequence[Kept],
        transports: Collection[str],
        settled: Iterable[tuple[str, Sequence[Settlement]]],
        now_us: int,
    ) -> None:
        """Commit messages, to be delivered by some transports, and what became of deliveries.

        A message that is already there is left as it is.
        """
        with self._engine.begin() as connection:
            for transport, settlements in settled:
                _settle(connection, transport, settlements, now_us)
            if messages:
                _add(connection, messages, transports, now_us)
            _count(connection, RUNNING_US, now_us)

    def due(self, transport: str, now_us: int, limit: int) -> tuple[list[Due], int | None]:
        """Return messages to be delivered now, and the running time to wait for when there are none."""
        with self._engine.begin() as connection:
            rows = connection.execute(_DUE, {"transport": transport, "now": now_us, "limit": limit})
            found = [Due(seq, attempts, body) for seq, attempts, body in rows]
            return found, None if found else connection.execute(_NEXT, {"transport": transport}).scalar()

    def counts(self, now_us: int) -> dict[str, TransportCounts]:
        """Return the counts of each transport that ever had a delivery."""
        with self._engine.begin() as connection:
            pending = {row[0]: row[1:] for row in connection.execute(_PENDING)}
            dead: dict[str, int] = {row[0]: row[1] for row in connection.execute(_DEAD)}
            return {
                transport: TransportCounts(
                    committed=committed,
                    delivered=delivered,
                    pending=pending.get(transport, (0, 0))[0],
                    dead=dead.get(transport, 0) + discarded,
                    discarded=discarded,
                    oldest_us=now_us - pending[transport][1] if transport in pending else 0,
                )
                for transport, committed, delivered, discarded in connection.execute(select(TOTALS))
            }

    def give_up(self, since_us: int) -> int:
        """Make dead what is pending since before a running time; return how many deliveries that are."""
        text = literal("given up at its age") + case(
            (DELIVERIES.c.error.is_(None), literal("")), else_=literal(": ") + DELIVERIES.c.error
        )
        with self._engine.begin() as connection:
            old = update(DELIVERIES).where(IS_PENDING, DELIVERIES.c.since < since_us)
            return connection.execute(old.values(state=DEAD, error=text)).rowcount

    def forget(self, delivered_before_us: int, dead_before_us: int) -> int:
        """Delete messages committed before a running time that nobody is to deliver any more.

        Those that are dead somewhere have a time of their own. Returns how many were deleted, `AT_ONCE` at
        most.
        """
        unsettled = select(DELIVERIES.c.seq).where(DELIVERIES.c.seq == MESSAGES.c.seq)
        delivered = ~unsettled.where(DELIVERIES.c.state != DELIVERED).exists()
        dead = ~unsettled.where(IS_PENDING).exists()
        with self._engine.begin() as connection:
            wanted = (
                select(MESSAGES.c.seq)
                .where(
                    MESSAGES.c.committed < delivered_before_us,
                    delivered | ((MESSAGES.c.committed < dead_before_us) & dead),
                )
                .limit(AT_ONCE)
            )
            return _delete(connection, connection.execute(wanted).scalars().all())

    def make_room(self) -> int:
        """Delete the oldest messages that nobody is to deliver any more, else the oldest of all.

        Returns how many were deleted, `ROOM` at most.
        """
        oldest = select(MESSAGES.c.seq).order_by(MESSAGES.c.seq).limit(LOOKED_AT).subquery()
        pending = select(DELIVERIES.c.seq).where(DELIVERIES.c.seq == oldest.c.seq, IS_PENDING)
        with self._engine.begin() as connection:
            settled = select(oldest.c.seq).where(~pending.exists()).limit(ROOM)
            found = connection.execute(settled).scalars().all()
            if not found:
                found = connection.execute(select(oldest.c.seq).limit(ROOM)).scalars().all()
            return _delete(connection, found)

    def messages(self) -> int:
        """Return how many messages are kept."""
        with self._engine.begin() as connection:
            return connection.execute(select(func.count()).select_from(MESSAGES)).scalar_one()


_DUE: Final = (
    select(DELIVERIES.c.seq, DELIVERIES.c.attempts, MESSAGES.c.body)
    .join(MESSAGES, MESSAGES.c.seq == DELIVERIES.c.seq)
    .where(DELIVERIES.c.transport == bindparam("transport"), IS_PENDING, DELIVERIES.c.due <= bindparam("now"))
    .order_by(DELIVERIES.c.due, DELIVERIES.c.seq)
    .limit(bindparam("limit"))
)
_NEXT: Final = select(func.min(DELIVERIES.c.due)).where(
    DELIVERIES.c.transport == bindparam("transport"), IS_PENDING
)
_PENDING: Final = (
    select(DELIVERIES.c.transport, func.count(), func.min(DELIVERIES.c.since))
    .where(IS_PENDING)
    .group_by(DELIVERIES.c.transport)
)
_DEAD: Final = select(DELIVERIES.c.transport, func.count()).where(IS_DEAD).group_by(DELIVERIES.c.transport)
_SETTLE: Final = (
    update(DELIVERIES)
    .where(
        DELIVERIES.c.seq == bindparam("of_seq"),
        DELIVERIES.c.transport == bindparam("of_transport"),
        IS_PENDING,
    )
    .values(
        state=bindparam("to_state"),
        attempts=DELIVERIES.c.attempts + 1,
        due=bindparam("to_due"),
        attempted_us=bindparam("at_us"),
        error=bindparam("to_error"),
    )
)


def _settle(connection: Connection, transport: str, settled: Sequence[Settlement], now_us: int) -> None:
    def changed(some: list[Settlement]) -> int:
        rows = [
            {
                "of_seq": each.seq,
                "of_transport": transport,
                "to_state": each.state,
                "to_due": now_us + each.wait_us,
                "at_us": each.attempted_us,
                "to_error": each.error,
            }
            for each in some
        ]
        return connection.execute(_SETTLE, rows).rowcount if rows else 0

    # A message deleted, or retried, meanwhile has no such row.
    delivered = changed([each for each in settled if each.state == DELIVERED])
    changed([each for each in settled if each.state != DELIVERED])
    if delivered:
        total = update(TOTALS).where(TOTALS.c.transport == transport)
        connection.execute(total.values(delivered=TOTALS.c.delivered + delivered))


def _add(connection: Connection, messages: Sequence[Kept], transports: Collection[str], now_us: int) -> None:
    known = select(MESSAGES.c.message_id).where(MESSAGES.c.message_id.in_([m.message_id for m in messages]))
    there = set(connection.execute(known).scalars())
    added = {message.message_id: message for message in messages if message.message_id not in there}
    if not added:
        return
    first = _last_seq(connection) + 1
    rows = list(enumerate(added.values(), first))
    connection.execute(
        insert(MESSAGES),
        [
            {
                "seq": seq,
                "message_id": message.message_id,
                "kind": message.kind,
                "made_us": message.made_us,
                "committed": now_us,
                "body": message.body,
            }
            for seq, message in rows
        ],
    )
    for transport in transports:
        pending: dict[str, Any] = {
            "transport": transport,
            "state": PENDING,
            "attempts": 0,
            "since": now_us,
            "due": now_us,
        }
        connection.execute(insert(DELIVERIES), [{"seq": seq, **pending} for seq, _ in rows])
        total = upsert(TOTALS).values(transport=transport, committed=len(rows), delivered=0, discarded=0)
        connection.execute(
            total.on_conflict_do_update(
                index_elements=[TOTALS.c.transport], set_={"committed": TOTALS.c.committed + len(rows)}
            )
        )


def _last_seq(connection: Connection) -> int:
    """Return the highest number a message ever had."""
    found = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").scalar()
    return int(found or 0)


def _delete(connection: Connection, seqs: Sequence[int]) -> int:
    if not seqs:
        return 0
    undelivered = (
        select(DELIVERIES.c.transport, func.count())
        .where(DELIVERIES.c.seq.in_(seqs), DELIVERIES.c.state != DELIVERED)
        .group_by(DELIVERIES.c.transport)
    )
    for transport, lost in connection.execute(undelivered).all():
        total = update(TOTALS).where(TOTALS.c.transport == transport)
        connection.execute(total.values(discarded=TOTALS.c.discarded + lost))
    connection.execute(delete(DELIVERIES).where(DELIVERIES.c.seq.in_(seqs)))
    return connection.execute(delete(MESSAGES).where(MESSAGES.c.seq.in_(seqs))).rowcount


def _count(connection: Connection, name: str, value: int) -> None:
    row = upsert(COUNTERS).values(name=name, value=value)
    connection.execute(row.on_conflict_do_update(index_elements=[COUNTERS.c.name], set_={"value": value}))
