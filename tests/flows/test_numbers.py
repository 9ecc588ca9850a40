from __future__ import annotations

import math

import pytest

from flows.numbers import number, same


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        (-2.5, -2.5),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("1", None),
        ("nan", None),
        (True, None),
        (None, None),
        ([1], None),
        (10**400, None),
    ],
)
def test_what_is_a_number(value: object, expected: float | None) -> None:
    assert number(value) == expected


def test_nan_is_a_number() -> None:
    assert math.isnan(number("NaN") or 0.0)


def test_one_value_or_two() -> None:
    assert same(1, 1.0)
    assert same("NaN", math.nan)
    assert same("10.0.0.1", "10.0.0.1")
    assert not same(1, True)
    assert not same(1, "1")
    assert not same(None, math.nan)
