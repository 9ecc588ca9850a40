from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_server.dashboard.figures import count, duration, percent, rate, size


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (count(1_234_567), "1,234,567"),
        (rate(0), "0"),
        (rate(0.01), "<0.1"),
        (rate(3.14), "3.1"),
        (rate(1234.5), "1,234"),
        (size(0), "0 B"),
        (size(999), "999 B"),
        (size(1000), "1.0 kB"),
        (size(512_000_000), "512 MB"),
        (duration(0.14), "0.1 s"),
        (duration(61), "1 min 1 s"),
        (duration(3600), "1 h"),
        (duration(90_000), "1 d 1 h"),
        (percent(0.1234), "12.3%"),
        (percent(None), "\N{EN DASH}"),
        (percent(math.nan), "\N{EN DASH}"),
    ],
)
def test_a_figure_is_written_short(written: str, meant: str) -> None:
    assert written == meant


@given(st.floats(0, 1e15))
def test_no_size_has_more_than_four_digits_before_its_unit(value: float) -> None:
    assert len(size(value).split()[0]) <= 5
