from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.table import UNKNOWN_TIME
from flows.times import parse_times, rfc3339, written

ONE = 1_499_432_400_000_000  # 2017-07-07 13:00:00 UTC


def parsed(*texts):
    return parse_times(pa.array(texts, pa.string())).tolist()


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("2017-07-07 13:00:00", ONE),
        ("2017-07-07 13:00:00.801", ONE + 801_000),
        ("2017-07-07 13:00:00.024349", ONE + 24_349),
        ("2017-07-07 13:00:00.123456789", ONE + 123_456),
        ("2017-07-07T13:00:00.5Z", ONE + 500_000),
        ("07/07/2017 01:00:00 PM", ONE),
        ("07/07/2017 12:00:00 AM", ONE - 13 * 3_600_000_000),
        ("1969-12-31 23:59:59.5", -500_000),
    ],
)
def test_unambiguous_times(text, us):
    assert parsed(text) == [us]


@pytest.mark.parametrize(
    "text",
    ["7/7/2017 3:56", "07/07/2017 01:00:00", "20/02/2018 09:50:36", "2017-02-30 01:00:00", "x", "", None],
)
def test_ambiguous_and_impossible_times_are_unknown(text):
    assert parsed(text, "2017-07-07 13:00:00") == [UNKNOWN_TIME, ONE]


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 30)))
def test_written_microseconds_are_read_back(moment):
    us = np.array([(moment - datetime(1970, 1, 1)) // timedelta(microseconds=1)])
    assert parse_times(written(us, "microseconds")).tolist() == us.tolist()
    assert parsed(*rfc3339(us)) == us.tolist()
    assert rfc3339(us) == [f"{moment.isoformat(timespec='microseconds')}Z"]


def test_what_has_no_four_digit_year_is_not_written():
    wild = np.array([UNKNOWN_TIME, 2**62, -(2**62)])
    assert rfc3339(wild) == [None, None, None]
    assert written(wild, "microseconds").to_pylist() == [None, None, None]


def test_the_sets_formats():
    us = np.array([ONE + 999_999])
    assert written(us, "cic-2018").to_pylist() == ["07/07/2017 13:00:00"]
    assert written(us, "cic-v4").to_pylist() == ["07/07/2017 01:00:00 PM"]
