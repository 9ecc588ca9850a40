"""What is read from the alert book, beside its writer; any thread may call, and waits for the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import orjson
from sqlalchemy import Integer, cast, func, select

from alerting.book.filters import AlertFilter, AlertQuery, micros, write_cursor
from alerting.book.labelled_flows import LABELLED, LabelledFlowsExport, labelled_flows
from alerting.book.summaries import SUMMARY, summaries
from alerting.book.tables import ALERTS, COUNTERS, DESTINATIONS, DETAILS, LAST_SEQ
from alerting.database.file import open_engine
from flows.addresses import UNKNOWN, address_text
from flows.labels import BY_CODE, NOVELTY
from flows.times import rfc3339

Ends = Literal["sources", "targets"]
MAX_BLOCKED: Final = 100_000


@dataclass(frozen=True, slots=True)
class AlertPage:
    """Alerts as `summaries` shows them, newest first; `cursor` asks for the next page, None at the end."""

    alerts: list[dict[str, Any]]
    cursor: str | None


class BookReader:
    """Reads one alert book that the writer has made.

    Raises:
        sqlalchemy.exc.DBAPIError: (from all methods) the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._engine = open_engine(path, reading=True)

    def reopen(self) -> None:
        """Look at the path again: another file may be there."""
        self._engine.dispose()

    def page(self, query: AlertQuery) -> AlertPage:
        """Return the alerts that fit a query."""
        with self._engine.begin() as connection:
            rows = connection.execute(query.page(SUMMARY.add_columns(ALERTS.c.number))).all()
        shown = rows[: query.limit]
        cursor = write_cursor(shown[-1].number) if len(rows) > query.limit else None
        return AlertPage(summaries(shown), cursor)

    def get(self, alert_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return an alert's summary and its latest EVE object, None when there is none."""
        wanted = SUMMARY.add_columns(DETAILS.c.eve).join(DETAILS, DETAILS.c.number == ALERTS.c.number)
        with self._engine.begin() as connection:
            row = connection.execute(wanted.where(ALERTS.c.alert_id == alert_id)).one_or_none()
        return None if row is None else (summaries([row])[0], orjson.loads(row.eve))

    def last_seq(self) -> int:
        """Return the number of the latest change."""
        with self._engine.begin() as connection:
            found = select(COUNTERS.c.value).where(COUNTERS.c.name == LAST_SEQ)
            return connection.execute(found).scalar() or 0

    def changed(self, wanted: AlertFilter, after: int, limit: int) -> tuple[list[dict[str, Any]], int]:
        """Return the latest `limit` alerts that changed after a number, in order, and how many more did."""
        conditions = (ALERTS.c.seq > after, *wanted.conditions())
        with self._engine.begin() as connection:
            latest = SUMMARY.where(*conditions).order_by(ALERTS.c.seq.desc()).limit(limit)
            found = summaries(connection.execute(latest))
            more = 0
            if len(found) == limit:
                count = select(func.count()).select_from(ALERTS).where(*conditions)
                more = connection.execute(count).scalar_one() - limit
        return found[::-1], more

    def opened(self, since: datetime, until: datetime, buckets: int) -> list[tuple[int, int, int, int, int]]:
        """Return alerts opened in a time: (bucket, class code, severity, alerts, flows) in that order."""
        first, end = micros(since), micros(until)
        # Of a very long time the product is no integer any more.
        part = cast((ALERTS.c.opened_us - first) * buckets / (end - first), Integer)
        bucket = func.min(part, buckets - 1)
        wanted = (
            select(bucket, ALERTS.c.code, ALERTS.c.severity, func.count(), func.sum(ALERTS.c.count))
            .where(ALERTS.c.opened_us >= first, ALERTS.c.opened_us < end)
            .group_by(bucket, ALERTS.c.code, ALERTS.c.severity)
            .order_by(bucket, ALERTS.c.code, ALERTS.c.severity)
        )
        with self._engine.begin() as connection:
            return [tuple(row) for row in connection.execute(wanted)]

    def top(self, ends: Ends, since: datetime, n: int) -> list[dict[str, Any]]:
        """Return the addresses that most alerts since a time are about, most alerts first."""
        address = _addresses(ends, micros(since))
        worst, classes = func.min(address.c.severity), func.group_concat(address.c.code.distinct())
        wanted = (
            select(
                address.c.addr,
                func.count(),
                func.sum(address.c["count"]),
                worst,
                classes,
                func.max(address.c.changed_us),
            )
            .where(address.c.addr != UNKNOWN)
            .group_by(address.c.addr)
            .order_by(func.count().desc(), func.sum(address.c["count"]).desc(), address.c.addr)
            .limit(n)
        )
        with self._engine.begin() as connection:
            rows = connection.execute(wanted).all()
        times = rfc3339(np.array([row[-1] for row in rows], np.int64))
        return [
            {
                "address": address_text(addr),
                "alerts": alerts,
                "flows": flows,
                "severity": severity,
                "labels": sorted(BY_CODE[int(code)].name for code in codes.split(",")),
                "last": last,
            }
            for (addr, alerts, flows, severity, codes, _), last in zip(rows, times, strict=True)
        ]

    def labelled(self, dialect: str) -> LabelledFlowsExport:
        """Return the labelled flows that were measured in a dialect."""
        with self._engine.begin() as connection:
            return labelled_flows(connection.execute(LABELLED), dialect)

    def judged(self) -> dict[str, dict[str, int]]:
        """Return how many judged alerts there are, by their class and by the class somebody gave.

        Novelty is no class of the model, and says nothing of it.
        """
        pair = (ALERTS.c.code, ALERTS.c.verdict_code)
        wanted = (
            select(*pair, func.count())
            .where(ALERTS.c.verdict.is_not(None), ALERTS.c.code != NOVELTY)
            .group_by(*pair)
            .order_by(*pair)
        )
        found: dict[str, dict[str, int]] = {}
        with self._engine.begin() as connection:
            for given, really, alerts in connection.execute(wanted):
                found.setdefault(BY_CODE[given].name, {})[BY_CODE[really].name] = alerts
        return found

    def sources(self, severity: int, since_us: int, origins: Sequence[str]) -> list[tuple[bytes, int]]:
        """Return the sources of alerts of at least a severity since a time, with the time of the latest.

        Those that somebody called false positives do not count, nor do alerts of other origins (sidecar, api
        and so on), nor novelty: what is merely new is for people to look at, not for a firewall to stop.
        """
        wanted = (
            select(ALERTS.c.src_addr, func.max(ALERTS.c.changed_us).label("last"))
            .where(
                ALERTS.c.severity <= severity,
                ALERTS.c.code != NOVELTY,
                ALERTS.c.changed_us >= since_us,
                ALERTS.c.source.in_(origins),
                ALERTS.c.src_addr != UNKNOWN,
                ALERTS.c.verdict.is_distinct_from("false_positive"),
            )
            .group_by(ALERTS.c.src_addr)
            .order_by(func.max(ALERTS.c.changed_us).desc())
            .limit(MAX_BLOCKED)
        )
        with self._engine.begin() as connection:
            return [(row[0], row[1]) for row in connection.execute(wanted)]


def _addresses(ends: Ends, since_us: int) -> Any:
    columns = (ALERTS.c.severity, ALERTS.c.code, ALERTS.c["count"], ALERTS.c.changed_us)
    recent = ALERTS.c.changed_us >= since_us
    if ends == "sources":
        return select(ALERTS.c.src_addr.label("addr"), *columns).where(recent).subquery()
    several = select(DESTINATIONS.c.number)
    one = select(ALERTS.c.dst_addr.label("addr"), *columns).where(recent, ALERTS.c.number.not_in(several))
    named = (
        select(DESTINATIONS.c.addr, *columns)
        .join(ALERTS, ALERTS.c.number == DESTINATIONS.c.number)
        .where(recent)
    )
    return one.union_all(named).subquery()
