"""The table of which batches were taken; `migrations` makes it of older ones."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Integer, MetaData, Table, Text

from alerting.database.schema import Schema

METADATA: Final = MetaData()

STREAMS: Final = Table(
    "streams",
    METADATA,
    Column("sensor", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("batches", Integer, nullable=False),
    Column("flows", Integer, nullable=False),
    Column("taken_us", Integer, nullable=False),  # UTC microseconds
    sqlite_with_rowid=False,
)

SCHEMA: Final = Schema(
    METADATA,
    "0001",
    "inference_server.sensors:migrations",
    "a batch that a sensor sends once more is scored once more",
)
