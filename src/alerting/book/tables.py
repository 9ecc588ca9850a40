"""The alert book's tables; `migrations` makes them of older ones."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, Table, Text

from alerting.database.schema import Schema

OPEN: Final = "open"
CLOSED: Final = "closed"

METADATA: Final = MetaData()

ALERTS: Final = Table(
    "alerts",
    METADATA,
    Column("number", Integer, primary_key=True),  # the `seq` of its first change
    Column("alert_id", Text, nullable=False, unique=True),
    Column("seq", Integer, nullable=False),  # of its last change
    Column("opened_us", Integer, nullable=False),
    Column("changed_us", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("code", Integer, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("p_attack_max", Float, nullable=False),
    Column("src_addr", LargeBinary, nullable=False),
    Column("src_port", Integer, nullable=False),
    Column("dst_addr", LargeBinary, nullable=False),
    Column("dst_port", Integer, nullable=False),
    Column("proto", Text),
    Column("sensor", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("model_version", Text, nullable=False),
    Column("words", Text, nullable=False),  # in lower case: what a text is looked for in
    Column("acknowledged_by", Text),
    Column("acknowledged_us", Integer),
    Column("verdict", Text),
    Column("verdict_code", Integer),
    Column("note", Text),
    Column("judged_by", Text),
    Column("judged_us", Integer),
)
Index("alerts_seq", ALERTS.c.seq, unique=True)

FEATURE_SETS: Final = Table(
    "feature_sets",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("dialect", Text, nullable=False),
    Column("names", Text, nullable=False),  # a JSON array
)

DETAILS: Final = Table(
    "details",
    METADATA,
    Column("number", Integer, ForeignKey("alerts.number"), primary_key=True, autoincrement=False),
    Column("eve", LargeBinary, nullable=False),
    Column("flow", LargeBinary, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("feature_set", Integer, ForeignKey("feature_sets.id"), nullable=False),
)

# The destinations of an alert that names several; one is in its row.
DESTINATIONS: Final = Table(
    "destinations",
    METADATA,
    Column("number", Integer, ForeignKey("alerts.number"), primary_key=True, autoincrement=False),
    Column("addr", LargeBinary, primary_key=True),
    sqlite_with_rowid=False,
)

LABELS: Final = Table(
    "labels",
    METADATA,
    Column("alert_id", Text, primary_key=True),
    Column("labelled_us", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("code", Integer, nullable=False),
    Column("note", Text),
    Column("who", Text),
    Column("flow", LargeBinary, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("feature_set", Integer, ForeignKey("feature_sets.id"), nullable=False),
    sqlite_with_rowid=False,
)

COUNTERS: Final = Table(
    "counters",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),
)
LAST_SEQ: Final = "seq"

SCHEMA: Final = Schema(
    METADATA,
    "0001",
    "alerting.book:migrations",
    "the alerts are in alerts.json; acknowledgements and labels are in that file only",
)
