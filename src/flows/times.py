"""Times as text: what data sets write, and what this project writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from flows.table import UNKNOWN_TIME

_ISO: Final = r"^\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2}(\.\d+)?Z?$"
_V4: Final = "%d/%m/%Y %I:%M:%S %p"
# Text has four digits for a year.
_FIRST_US: Final = int(datetime(1, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_END_US: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1_000_000


def parse_times(text: pa.Array) -> NDArray[np.int64]:
    """Return n texts as UTC microseconds, UNKNOWN_TIME where a text is not unambiguous.

    Unambiguous are year-first times, as the improved set has, and day-first times with AM or PM, as
    CICFlowMeter V4 writes. The 2017 and 2018 sets write 12-hour times without AM or PM.
    """
    iso = pc.match_substring_regex(text, _ISO)
    micro = pc.replace_substring_regex(text, r"Z$|(\.\d{6})\d+Z?$", r"\1")
    parsed = [_year_first(pc.if_else(iso, micro, None)), _day_first(pc.if_else(iso, None, text))]
    known = pc.coalesce(*(pc.cast(times, pa.int64()) for times in parsed))
    times: NDArray[np.int64] = pc.fill_null(known, UNKNOWN_TIME).to_numpy(zero_copy_only=False)
    return times


def _year_first(text: pa.Array) -> pa.Array:
    try:
        return pc.cast(text, pa.timestamp("us"))
    except pa.ArrowInvalid:  # a date that does not exist; the cast knows no errors-to-null
        exists = [None if value is None else _or_none(value) for value in text.to_pylist()]
        return pa.array(exists, pa.timestamp("us"))


def _or_none(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _day_first(text: pa.Array) -> pa.Array:
    return pc.strptime(text, format=_V4, unit="us", error_is_null=True)


def writable(times_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of n times are known and have a year of four digits."""
    return (times_us >= _FIRST_US) & (times_us < _END_US)


def rfc3339(times_us: NDArray[np.int64]) -> list[str | None]:
    """Return n UTC microseconds as RFC 3339 text with microseconds; None when unknown."""
    known = writable(times_us)
    if not known.any():
        return [None] * len(times_us)
    stamps = np.datetime_as_string(np.where(known, times_us, 0).view("datetime64[us]"), unit="us")
    return [f"{stamp}Z" if is_known else None for stamp, is_known in zip(stamps, known.tolist(), strict=True)]


def written(times_us: NDArray[np.int64], layout: str) -> pa.Array:
    """Return n UTC microseconds as strings, null when unknown, in a header's time format.

    `layout` is `microseconds` (2017-07-07 13:00:00.801000), `cic-2018` (07/07/2017 13:00:00, always
    24 hours) or `cic-v4` (07/07/2017 01:00:00 PM).
    """
    stamps = pa.array(times_us, pa.int64(), mask=~writable(times_us)).cast(pa.timestamp("us"))
    if layout == "microseconds":
        return pc.cast(stamps, pa.string())
    seconds = pc.floor_temporal(stamps, unit="second").cast(pa.timestamp("s"))
    return pc.strftime(seconds, format="%d/%m/%Y %H:%M:%S" if layout == "cic-2018" else _V4)
