"""The spool's tables; `migrations` makes them of older ones."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text

from alerting.database.schema import Schema

METADATA: Final = MetaData()

BATCHES: Final = Table(
    "batches",
    METADATA,
    Column("seq", Integer, primary_key=True),
    Column("flows", Integer, nullable=False),
    Column("oldest_us", Integer, nullable=False),  # when its first flow came, UTC microseconds
    Column("body", LargeBinary, nullable=False),
    sqlite_autoincrement=True,  # a number is never used again, whatever was deleted
)

STREAM: Final = Table("stream", METADATA, Column("id", Text, primary_key=True))

TOTALS: Final = Table(
    "totals",
    METADATA,
    Column("outcome", Text, primary_key=True),
    Column("flows", Integer, nullable=False),
)

SCHEMA: Final = Schema(
    METADATA,
    "0001",
    "inference_server.central:migrations",
    "the flows it held are not scored",
)
