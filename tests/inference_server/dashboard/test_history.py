from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from inference_server.dashboard.history import Sample, series
from inference_server.dashboard.snapshot import Totals


def samples(*packets: int) -> list[Sample]:
    return [Sample(10.0 * place, Totals(packets=total)) for place, total in enumerate(packets)]


def test_a_point_is_the_growth_a_second() -> None:
    assert series(samples(0, 100, 150), "packets") == [[10_000, 10.0], [20_000, 5.0]]


def test_a_counter_that_began_again_is_no_negative_rate() -> None:
    assert series(samples(100, 0, 50), "packets") == [[10_000, 0.0], [20_000, 5.0]]


def test_one_sample_makes_no_point() -> None:
    assert series(samples(7), "packets") == []


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=600), st.integers(1, 50))
def test_there_are_as_many_points_as_wanted_and_they_lose_nothing(growth: list[int], points: int) -> None:
    totals = [sum(growth[: place + 1]) for place in range(len(growth))]
    made = series(samples(*totals), "packets", points)
    assert len(made) <= points
    assert [time for time, _ in made] == sorted(time for time, _ in made)
    assert made[-1][0] == 10_000 * (len(growth) - 1)
