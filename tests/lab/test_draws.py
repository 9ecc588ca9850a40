from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.draws import Choice, Range, corners, drawn


@given(st.integers(-50, 50), st.integers(0, 50), st.integers())
def test_a_range_of_integers_gives_integers_of_it(low: int, width: int, seed: int) -> None:
    value = drawn(Range(low=low, high=low + width), random.Random(seed))
    assert isinstance(value, int)
    assert low <= value <= low + width


def test_the_same_seed_draws_the_same() -> None:
    draws = (Range(low=0.5, high=2.5), Choice(choice=("syn", "fin", True)), 7)
    one, other = random.Random(3), random.Random(3)
    assert [drawn(draw, one) for draw in draws] == [drawn(draw, other) for draw in draws]
    assert drawn(7, one) == 7


def test_every_limit_and_choice_is_in_a_corner() -> None:
    found = corners({"ports": Range(low=1, high=9), "scan": Choice(choice=("a", "b", "c")), "rate": 5})
    assert found == [
        {"ports": 1, "scan": "a", "rate": 5},
        {"ports": 9, "scan": "b", "rate": 5},
        {"ports": 9, "scan": "c", "rate": 5},
    ]
    assert corners({}) == [{}]


def test_a_range_the_wrong_way_round_is_refused() -> None:
    with pytest.raises(ValueError, match="low 3 is above high 2"):
        Range(low=3, high=2)
