"""What an operator sees of an outbox, and may do to it, whether or not the service runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, Engine, func, literal, select, update
from sqlalchemy.exc import DBAPIError

from alerting.database.file import open_engine
from alerting.database.schema import revision
from alerting.message import Message
from alerting.outbox.store import Store, TransportCounts
from alerting.outbox.tables import DELIVERIES, IS_DEAD, MESSAGES, PENDING, SCHEMA

KEPT: Final = "kept"
"""The state of a message that no transport was to deliver."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message and what became of it on one transport.

    Attributes:
        message_id, kind, made_us: as in `Message`.
        transport: the transport's name, empty where none was to deliver it.
        state: pending, delivered or dead; kept where none was to.
        attempts: how often it was attempted.
        attempted_us: when it last was, UTC microseconds, None if never.
        due_seconds: of a pending one, until the next attempt; 0 when that is due.
        error: why the last attempt failed, None when none did.
    """

    message_id: str
    kind: str
    made_us: int
    transport: str
    state: str
    attempts: int
    attempted_us: int | None
    due_seconds: float | None
    error: str | None


class Browser:
    """Reads and changes one outbox; use `browsing` to get one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = Store(engine)
        self._now_us = self._store.running_us()

    def counts(self) -> dict[str, TransportCounts]:
        """Return the counts of every transport."""
        return self._store.counts(self._now_us)

    def messages(self) -> int:
        """Return how many messages are kept."""
        return self._store.messages()

    def deliveries(
        self,
        *,
        state: str | None = None,
        transport: str | None = None,
        message_id: str | None = None,
        limit: int | None = None,
    ) -> list[Delivery]:
        """Return deliveries, the latest messages first."""
        wanted = (
            select(
                MESSAGES.c.message_id,
                MESSAGES.c.kind,
                MESSAGES.c.made_us,
                func.coalesce(DELIVERIES.c.transport, ""),
                func.coalesce(DELIVERIES.c.state, literal(KEPT)),
                func.coalesce(DELIVERIES.c.attempts, 0),
                DELIVERIES.c.attempted_us,
                DELIVERIES.c.due,
                DELIVERIES.c.error,
            )
            .outerjoin_from(MESSAGES, DELIVERIES, MESSAGES.c.seq == DELIVERIES.c.seq)
            .order_by(MESSAGES.c.seq.desc(), DELIVERIES.c.transport)
            .limit(limit)
        )
        if state:
            wanted = wanted.where(func.coalesce(DELIVERIES.c.state, literal(KEPT)) == state)
        if transport:
            wanted = wanted.where(DELIVERIES.c.transport == transport)
        if message_id:
            wanted = wanted.where(MESSAGES.c.message_id == message_id)
        with self._engine.begin() as connection:
            return [self._delivery(*row) for row in connection.execute(wanted)]

    def message(self, message_id: str) -> Message:
        """Return a message.

        Raises:
            LookupError: there is none of this id.
        """
        wanted = select(MESSAGES.c.body).where(MESSAGES.c.message_id == message_id)
        with self._engine.begin() as connection:
            body = connection.execute(wanted).scalar()
        if body is None:
            raise LookupError(
                f"no message {message_id} in the outbox: ml-ids outbox list shows what there is"
            )
        return Message.decode(body)

    def retry(self, *, message_ids: Collection[str] = (), transport: str | None = None) -> int:
        """Make dead deliveries pending again, as if they were young; return how many.

        Those of some messages, of all without; of one transport, of all without.
        """
        chosen: list[ColumnElement[bool]] = [IS_DEAD]
        if message_ids:
            of_ids = select(MESSAGES.c.seq).where(MESSAGES.c.message_id.in_(message_ids))
            chosen.append(DELIVERIES.c.seq.in_(of_ids))
        if transport:
            chosen.append(DELIVERIES.c.transport == transport)
        change = update(DELIVERIES).where(*chosen)
        values = {"state": PENDING, "attempts": 0, "since": self._now_us, "due": 0}
        with self._engine.begin() as connection:
            return connection.execute(change.values(values)).rowcount

    def _delivery(
        self,
        message_id: str,
        kind: str,
        made_us: int,
        transport: str,
        state: str,
        attempts: int,
        attempted_us: int | None,
        due: int | None,
        error: str | None,
    ) -> Delivery:
        due_seconds = max(0.0, (due - self._now_us) / 1e6) if state == PENDING and due is not None else None
        return Delivery(
            message_id, kind, made_us, transport, state, attempts, attempted_us, due_seconds, error
        )


@contextmanager
def browsing(path: Path) -> Iterator[Browser]:
    """Give a look at an outbox.

    Raises:
        ValueError: there is none, or it cannot be used; says what to do.
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist: the service makes it when it starts; is STATE_DIR right?")
    engine = open_engine(path)
    try:
        with engine.connect() as connection:
            found = revision(connection)
        if found != SCHEMA.latest:
            raise ValueError(
                f"{path} has tables of another version ({found or 'none'}, not {SCHEMA.latest}): "
                "ml-ids upgrade"
            )
        yield Browser(engine)
    except DBAPIError as error:
        remedy = "the service sets a damaged one aside when it starts"
        raise ValueError(f"{path} cannot be used ({error.orig}): {remedy}") from None
    finally:
        engine.dispose()
