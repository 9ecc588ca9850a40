"""Outboxes in tests: messages, transports that do as told, and the identities that must hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from alerting.database.file import open_engine
from alerting.message import Message
from alerting.outbox.outbox import Outbox
from alerting.outbox.status import OutboxStatus
from alerting.outbox.store import Kept
from alerting.outbox.tables import DELIVERIES, TOTALS
from helpers.server import wait_until


def message(number: int, *, size: int = 0) -> Message:
    return Message(f"message-{number}", "event", None, 0, 1_767_355_200_000_000 + number, {"pad": "x" * size})


def messages(count: int, first: int = 0, *, size: int = 0) -> list[Message]:
    return [message(number, size=size) for number in range(first, first + count)]


def kept(some: Sequence[Message]) -> list[Kept]:
    return [Kept(each.message_id, each.kind, each.made_us, each.encode()) for each in some]


@dataclass
class ToldTransport:
    """Keeps what it is sent; `does` decides what becomes of a call, which delivers all without it.

    Attributes:
        attempts: the ids of every call.
        delivered: ids, in order, with repetitions.
    """

    name: str = "told"
    batch: int = 10
    does: Callable[[Sequence[Message]], Sequence[str | None]] | None = None
    attempts: list[list[str]] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        self.attempts.append([message.message_id for message in messages])
        results = self.does(messages) if self.does else [None] * len(messages)
        self.delivered += [
            message.message_id for message, error in zip(messages, results, strict=True) if error is None
        ]
        return results

    def close(self) -> None:
        self.closed.set()


def fails(_: Sequence[Message]) -> Sequence[str | None]:
    raise ConnectionError("the queue is down")


def settled(outbox: Outbox, condition: Callable[[OutboxStatus], object] = lambda _: True) -> OutboxStatus:
    """Wait until nothing waits in memory and a condition holds; the status that showed it, accounted for."""

    def shown() -> bool:
        nonlocal found
        found = outbox.status()
        return found.waiting == 0 and bool(condition(found))

    found = outbox.status()
    wait_until(shown)
    accounted(found)
    return found


def accounted(status: OutboxStatus) -> None:
    """Assert the identities."""
    assert status.offered == status.committed + status.waiting + sum(status.lost.values())
    for each in status.transports:
        assert each.committed == each.delivered + each.pending + each.dead, each


def rows_accounted(path: Path) -> dict[str, dict[str, int]]:
    """Assert the identity in the file itself, row by row, and return the rows by transport and state."""
    engine = open_engine(path)
    with engine.connect() as connection:
        found: dict[str, dict[str, int]] = {}
        grouped = select(DELIVERIES.c.transport, DELIVERIES.c.state, func.count()).group_by(
            DELIVERIES.c.transport, DELIVERIES.c.state
        )
        for transport, state, count in connection.execute(grouped):
            found.setdefault(transport, {})[state] = count
        for transport, committed, delivered, discarded in connection.execute(select(TOTALS)):
            rows = found.setdefault(transport, {})
            dead = rows.get("dead", 0) + discarded
            assert committed == delivered + rows.get("pending", 0) + dead, (transport, rows)
            assert rows.get("delivered", 0) <= delivered
    engine.dispose()
    return found
