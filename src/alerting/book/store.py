"""What is done to the alert book's tables, each in one transaction. One thread calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson
from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, literal, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from alerting.book.rows import AlertRows
from alerting.book.summaries import SUMMARY, summaries
from alerting.book.tables import (
    ALERTS,
    CLOSED,
    COUNTERS,
    DESTINATIONS,
    DETAILS,
    FEATURE_SETS,
    LABELS,
    LAST_SEQ,
    OPEN,
)
from alerting.database.many_rows import ManyRows

AT_ONCE: Final = 500
"""Alerts deleted in one transaction."""

Verdict = Literal["true_positive", "false_positive"]


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Somebody saw an alert; `who` is None where nobody has to say."""

    alert_id: str
    who: str | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """Somebody says what an alert's flow really was: the class of `code`."""

    alert_id: str
    verdict: Verdict
    code: int
    note: str | None
    who: str | None


Change = Acknowledgement | Judgement


@dataclass(slots=True)
class _Numbers:
    last: int
    feature_sets: dict[tuple[str, tuple[str, ...]], int] = field(default_factory=dict)

    def take(self) -> int:
        self.last += 1
        return self.last


class BookStore:
    """The tables of one open alert book."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(self, now_us: int) -> None:
        """Close what an earlier run left open, because it was killed; `now_us` is UTC microseconds.

        The first change of a book is numbered by the time it was made, so that numbers go on although an
        earlier book was set aside.
        """
        with self._engine.begin() as connection:
            first = upsert(COUNTERS).values(name=LAST_SEQ, value=now_us)
            connection.execute(first.on_conflict_do_nothing())
            numbers = _numbers(connection)
            left = connection.execute(select(ALERTS.c.number).where(ALERTS.c.state == OPEN)).scalars().all()
            rows = [{"at": number, "seq": numbers.take()} for number in left]
            if rows:
                closed = update(ALERTS).where(ALERTS.c.number == bindparam("at"))
                connection.execute(closed.values(state=CLOSED, seq=bindparam("seq")), rows)
            _write_numbers(connection, numbers)

    def commit(
        self, alerts: Sequence[AlertRows], changes: Sequence[Change], now_us: int
    ) -> list[dict[str, Any] | None]:
        """Commit what alerts' latest messages say, then what people said, at `now_us` UTC microseconds.

        Returns the summary of each changed alert, None where there is no such alert.
        """
        with self._engine.begin() as connection:
            numbers = _numbers(connection)
            latest = {each.alert_id: each for each in alerts}
            if latest:
                _write(connection, latest, numbers)
            changed = [_change(connection, each, numbers, now_us) for each in changes]
            _write_numbers(connection, numbers)
            return changed

    def alerts(self) -> tuple[int, int]:
        """Return how many alerts and how many labels there are."""
        with self._engine.begin() as connection:
            alerts, labels = (
                connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in (ALERTS, LABELS)
            )
            return alerts, labels

    def forget(self, before_us: int) -> int:
        """Delete the oldest alerts, of those that did not change since a time; `AT_ONCE` at most."""
        oldest = (
            select(ALERTS.c.number, ALERTS.c.changed_us).order_by(ALERTS.c.number).limit(AT_ONCE).subquery()
        )
        return self._delete(select(oldest.c.number).where(oldest.c.changed_us < before_us))

    def make_room(self) -> int:
        """Delete the oldest alerts, `AT_ONCE` at most, or the oldest labels where no alert is left."""
        if deleted := self._delete(select(ALERTS.c.number).order_by(ALERTS.c.number).limit(AT_ONCE)):
            return deleted
        oldest = select(LABELS.c.alert_id).order_by(LABELS.c.labelled_us).limit(AT_ONCE)
        with self._engine.begin() as connection:
            return connection.execute(delete(LABELS).where(LABELS.c.alert_id.in_(oldest))).rowcount

    def _delete(self, wanted: Any) -> int:
        with self._engine.begin() as connection:
            numbers = connection.execute(wanted).scalars().all()
            for table in (DESTINATIONS, DETAILS, ALERTS) if numbers else ():
                connection.execute(delete(table).where(table.c.number.in_(numbers)))
            return len(numbers)


def _numbers(connection: Connection) -> _Numbers:
    last = connection.execute(select(COUNTERS.c.value).where(COUNTERS.c.name == LAST_SEQ)).scalar_one()
    return _Numbers(last)


def _write_numbers(connection: Connection, numbers: _Numbers) -> None:
    connection.execute(update(COUNTERS).where(COUNTERS.c.name == LAST_SEQ).values(value=numbers.last))


_IDS: Final = func.json_each(bindparam("ids")).table_valued("value")
_KNOWN: Final = select(ALERTS.c.alert_id, ALERTS.c.number).where(ALERTS.c.alert_id.in_(select(_IDS.c.value)))
_ALERT: Final = upsert(ALERTS)
_SAID: Final = [column for column in ALERTS.c if column.name == "proto" or not column.nullable]
"""What messages say; the others are what people say."""

_KEPT: Final = ("number", "alert_id", "opened_us")
_WRITE_ALERT: Final = ManyRows(
    _ALERT.on_conflict_do_update(
        index_elements=[ALERTS.c.number],
        set_={column.name: _ALERT.excluded[column.name] for column in _SAID if column.name not in _KEPT},
    ),
    [column.name for column in _SAID],
)
_WRITE_DETAIL: Final = ManyRows(insert(DETAILS).prefix_with("OR REPLACE"), DETAILS.c.keys())
_WRITE_DESTINATION: Final = ManyRows(insert(DESTINATIONS).prefix_with("OR IGNORE"), DESTINATIONS.c.keys())


def _write(connection: Connection, latest: dict[str, AlertRows], numbers: _Numbers) -> None:
    ids = orjson.dumps(list(latest)).decode()
    known: dict[str, int] = {row[0]: row[1] for row in connection.execute(_KNOWN, {"ids": ids})}
    alerts, details, destinations = [], [], []
    for alert_id, rows in latest.items():
        seq = numbers.take()
        number = known.get(alert_id, seq)
        alerts.append({**rows.alert, "number": number, "seq": seq})
        details.append(
            {
                "number": number,
                "eve": rows.eve,
                "flow": rows.flow,
                "features": rows.features,
                "feature_set": _feature_set(connection, rows.feature_set, numbers),
            }
        )
        destinations += [{"number": number, "addr": address} for address in rows.destinations]
    _WRITE_ALERT.execute(connection, alerts)
    _WRITE_DETAIL.execute(connection, details)
    _WRITE_DESTINATION.execute(connection, destinations)


def _feature_set(connection: Connection, wanted: tuple[str, tuple[str, ...]], numbers: _Numbers) -> int:
    found = numbers.feature_sets.get(wanted)
    if found is None:
        dialect, names = wanted[0], orjson.dumps(wanted[1]).decode()
        known = select(FEATURE_SETS.c.id).where(
            FEATURE_SETS.c.dialect == dialect, FEATURE_SETS.c.names == names
        )
        found = connection.execute(known).scalar()
        if found is None:
            made = insert(FEATURE_SETS).values(dialect=dialect, names=names)
            found = int(connection.execute(made.returning(FEATURE_SETS.c.id)).scalar_one())
        numbers.feature_sets[wanted] = found
    return found


def _change(connection: Connection, change: Change, numbers: _Numbers, now_us: int) -> dict[str, Any] | None:
    for statement in _statements(change, numbers.take(), now_us):
        if not connection.execute(statement).rowcount:
            return None
    found = summaries(connection.execute(SUMMARY.where(ALERTS.c.alert_id == change.alert_id)))
    return found[0]


def _statements(change: Change, seq: int, now_us: int) -> Iterator[Any]:
    alert = update(ALERTS).where(ALERTS.c.alert_id == change.alert_id)
    if isinstance(change, Acknowledgement):
        yield alert.values(seq=seq, acknowledged_by=change.who, acknowledged_us=now_us)
        return
    yield alert.values(
        seq=seq,
        verdict=change.verdict,
        verdict_code=change.code,
        note=change.note,
        judged_by=change.who,
        judged_us=now_us,
    )
    said = (now_us, change.verdict, change.code, change.note, change.who)
    columns = ("alert_id", "labelled_us", "verdict", "code", "note", "who", "flow", "features", "feature_set")
    flow = select(
        ALERTS.c.alert_id, *map(literal, said), DETAILS.c.flow, DETAILS.c.features, DETAILS.c.feature_set
    ).join(DETAILS, DETAILS.c.number == ALERTS.c.number)
    labelled = insert(LABELS).prefix_with("OR REPLACE")
    yield labelled.from_select(columns, flow.where(ALERTS.c.alert_id == change.alert_id))
