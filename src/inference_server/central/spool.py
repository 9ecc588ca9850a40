"""What is done to the spool's tables, each in one transaction. One thread calls."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from inference_server.central.tables import BATCHES, STREAM, TOTALS

SPOOLED: Final = "spooled"
DELIVERED: Final = "delivered"
REJECTED: Final = "rejected"
SPOOL_FULL: Final = "spool full"
ROOM: Final = 8
"""Batches deleted in one transaction to make room."""


@dataclass(frozen=True, slots=True)
class NewBatch:
    """Flows to be kept until they are taken: how many, when the first came, encoded."""

    flows: int
    oldest_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class SpooledBatch:
    """The same with its number."""

    seq: int
    flows: int
    oldest_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a batch: DELIVERED or REJECTED."""

    seq: int
    outcome: str


@dataclass(frozen=True, slots=True)
class SpoolCounts:
    """What the spool holds, and what became of flows over all starts.

    SPOOLED = `flows` + DELIVERED + REJECTED + SPOOL_FULL.
    """

    batches: int = 0
    flows: int = 0
    oldest_us: int | None = None
    totals: dict[str, int] | None = None


class Spool:
    """The tables of one open spool."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def stream(self) -> str:
        """Return the id of what numbers these batches, made when there is none."""
        with self._engine.begin() as connection:
            found = connection.execute(select(STREAM.c.id)).scalar()
            if found is None:
                found = uuid.uuid4().hex
                connection.execute(insert(STREAM).values(id=found))
            return str(found)

    def commit(self, batches: Sequence[NewBatch], settled: Sequence[Settled]) -> None:
        """Commit batches, and what became of others."""
        with self._engine.begin() as connection:
            for each in settled:
                _delete(connection, [each.seq], each.outcome)
            if batches:
                rows = [{"flows": b.flows, "oldest_us": b.oldest_us, "body": b.body} for b in batches]
                connection.execute(insert(BATCHES), rows)
                _count(connection, SPOOLED, sum(batch.flows for batch in batches))

    def first(self) -> SpooledBatch | None:
        """Return the oldest batch, None without any."""
        with self._engine.begin() as connection:
            row = connection.execute(select(BATCHES).order_by(BATCHES.c.seq).limit(1)).first()
            return None if row is None else SpooledBatch(row.seq, row.flows, row.oldest_us, row.body)

    def make_room(self, kept: int | None) -> int:
        """Delete the oldest batches but `kept`, which is being sent; return their flows."""
        oldest = select(BATCHES.c.seq).where(BATCHES.c.seq.is_distinct_from(kept)).order_by(BATCHES.c.seq)
        with self._engine.begin() as connection:
            return _delete(connection, connection.execute(oldest.limit(ROOM)).scalars().all(), SPOOL_FULL)

    def counts(self) -> SpoolCounts:
        """Look at what there is."""
        flows_held = func.coalesce(func.sum(BATCHES.c.flows), 0)
        held = select(func.count(), flows_held, func.min(BATCHES.c.oldest_us)).select_from(BATCHES)
        with self._engine.begin() as connection:
            totals = {row.outcome: row.flows for row in connection.execute(select(TOTALS))}
            batches, flows, oldest_us = connection.execute(held).one()
            return SpoolCounts(batches, flows, oldest_us, totals)


def _delete(connection: Connection, seqs: Sequence[int], outcome: str) -> int:
    chosen = BATCHES.c.seq.in_(seqs)
    total = select(func.coalesce(func.sum(BATCHES.c.flows), 0)).where(chosen)
    flows = int(connection.execute(total).scalar_one())
    connection.execute(delete(BATCHES).where(chosen))
    _count(connection, outcome, flows)
    return flows


def _count(connection: Connection, outcome: str, flows: int) -> None:
    row = upsert(TOTALS).values(outcome=outcome, flows=flows)
    more = {"flows": TOTALS.c.flows + flows}
    connection.execute(row.on_conflict_do_update(index_elements=[TOTALS.c.outcome], set_=more))
