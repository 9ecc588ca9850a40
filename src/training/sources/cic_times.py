"""The times of the CIC sets as first published: local, of 12 hours, and without AM or PM.

On the days of both captures every time is between 8:00 and 17:59 of Fredericton, so an hour from 1 to 7 is
one of the afternoon. The offsets were checked on flows that the corrected set has too, with times in UTC.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flows.table import UNKNOWN_TIME, FlowTable

HOUR: Final = 3_600_000_000
_DATE: Final = r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4})"
_TEXT: Final = rf"^{_DATE} (?P<hour>\d{{1,2}}):(?P<minute>\d{{2}})(?::(?P<second>\d{{2}}))?$"
_PARTS: Final = ("day", "month", "year", "hour", "minute", "second")
_DAYS: Final[dict[date, int]] = {
    **{date(2017, 7, day): -3 for day in range(3, 8)},
    **{date(2018, 2, day): -4 for day in (14, 15, 16, 20, 21, 22, 23, 28)},
    **{date(2018, 3, day): -4 for day in (1, 2)},
}
"""Offsets of local time from UTC, hours."""


def with_cic_times(table: FlowTable) -> FlowTable:
    """Return the table with the starts that its timestamps tell, on the days of the sets' captures.

    Other timestamps, and starts that are known, stay as they are.
    """
    if "timestamp" not in table.extras:
        return table
    texts = pa.array(["" if text is None else str(text) for text in table.extras["timestamp"].tolist()])
    starts = np.where(table.start_us == UNKNOWN_TIME, cic_times(texts), table.start_us)
    extras: dict[str, NDArray[Any]] = table.extras
    if (starts != UNKNOWN_TIME).all():
        extras = {name: values for name, values in extras.items() if name != "timestamp"}
    return replace(table, start_us=starts, extras=extras)


def cic_times(texts: pa.Array) -> NDArray[np.int64]:
    """Return n day-first texts as UTC microseconds, UNKNOWN_TIME where they are of no day of the captures."""
    encoded = pc.dictionary_encode(texts)
    parts = pc.extract_regex(encoded.dictionary, _TEXT).to_pylist()
    if not all(match is None or 1 <= int(match["hour"]) <= 12 for match in parts):
        return np.full(len(texts), UNKNOWN_TIME)  # hours of 24: somebody else's times, of an unknown zone
    found = np.array([_microseconds(match) for match in parts], np.int64)
    return found[encoded.indices.to_numpy()] if len(found) else np.full(len(texts), UNKNOWN_TIME)


def _microseconds(match: dict[str, str] | None) -> int:
    if match is None:
        return UNKNOWN_TIME
    day, month, year, hour, minute, second = (int(match[part] or 0) for part in _PARTS)
    try:
        when = date(year, month, day)
    except ValueError:
        return UNKNOWN_TIME
    if when not in _DAYS or minute > 59 or second > 59:
        return UNKNOWN_TIME
    hours = (hour + 12 if hour < 8 else hour) - _DAYS[when]
    days = when.toordinal() - date(1970, 1, 1).toordinal()
    return (days * 24 + hours) * HOUR + minute * 60_000_000 + second * 1_000_000
