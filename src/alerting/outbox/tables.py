"""The outbox's tables; `migrations` makes them of older ones."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text, literal_column

from alerting.database.schema import Schema

PENDING: Final = "pending"
DELIVERED: Final = "delivered"
DEAD: Final = "dead"

METADATA: Final = MetaData()

MESSAGES: Final = Table(
    "messages",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("message_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("made_us", Integer, nullable=False),
    Column("committed", Integer, nullable=False),  # running time, see `running_time`
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,  # a number is never used again, whatever was deleted
)
Index("messages_committed", MESSAGES.c.committed)

DELIVERIES: Final = Table(
    "deliveries",
    METADATA,
    Column("seq", Integer, ForeignKey("messages.seq"), primary_key=True, autoincrement=False),
    Column("transport", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("since", Integer, nullable=False),  # running time at which it became pending
    Column("due", Integer, nullable=False),  # running time of the next attempt
    Column("attempted_us", Integer),  # UTC microseconds of the last attempt
    Column("error", Text),
    sqlite_with_rowid=False,
)

# What SQLite compares with a partial index's condition must be written out, not bound.
IS_PENDING: Final = DELIVERIES.c.state == literal_column(f"'{PENDING}'")
IS_DEAD: Final = DELIVERIES.c.state == literal_column(f"'{DEAD}'")
Index(
    "deliveries_pending", DELIVERIES.c.transport, DELIVERIES.c.due, DELIVERIES.c.seq, sqlite_where=IS_PENDING
)
Index("deliveries_dead", DELIVERIES.c.transport, DELIVERIES.c.seq, sqlite_where=IS_DEAD)

TOTALS: Final = Table(
    "totals",
    METADATA,
    Column("transport", Text, primary_key=True),
    Column("committed", Integer, nullable=False),
    Column("delivered", Integer, nullable=False),
    Column("discarded", Integer, nullable=False),  # dead ones whose message was deleted
)

COUNTERS: Final = Table(
    "counters",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),
)
RUNNING_US: Final = "running_us"

SCHEMA: Final = Schema(
    METADATA,
    "0001",
    "alerting.outbox:migrations",
    "what it held unsent is not sent; the alerts are in alerts.json",
)
