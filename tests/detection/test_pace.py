from __future__ import annotations

from detection.pace import FEWEST, MOST, TURN_SECONDS, Pace


def test_as_many_flows_as_fit_the_time_of_a_turn() -> None:
    pace = Pace()
    assert pace.flows == FEWEST
    pace.took(1000, TURN_SECONDS)
    assert pace.flows == 1000


def test_never_less_or_more_than_the_bounds() -> None:
    pace = Pace()
    pace.took(1000, 0.0)
    assert pace.flows == MOST
    for _ in range(50):
        pace.took(FEWEST, 10.0)
    assert pace.flows == FEWEST


def test_one_odd_turn_says_little() -> None:
    pace = Pace()
    pace.took(2000, TURN_SECONDS)
    pace.took(FEWEST, TURN_SECONDS)
    assert FEWEST < pace.flows < 2000
    for _ in range(50):
        pace.took(500, TURN_SECONDS)
    assert abs(pace.flows - 500) <= 1


def test_few_flows_say_nothing_of_what_a_flow_costs() -> None:
    pace = Pace()
    pace.took(1000, TURN_SECONDS)
    pace.took(1, 10.0)
    assert pace.flows == 1000
