from __future__ import annotations

import pytest

from capture.rules import MICROSECONDS, LiveRules


@pytest.mark.parametrize("times", [{"linger_seconds": 0}, {"idle_seconds": -1}, {"idle_seconds": 121}])
def test_times_that_make_no_sense_are_refused(times: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="idle_seconds must"):
        LiveRules(**times)


@pytest.mark.parametrize("ages", [(0.0,), (120.0,), (5.0, 2.0), (2.0, 2.0), (1.0, 2.0, 3.0, 4.0, 5.0)])
def test_ages_that_make_no_sense_are_refused(ages: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="early_seconds must be at most 4 ages"):
        LiveRules(early_seconds=ages)


def test_an_age_of_unanswered_flows_beyond_the_time_out_is_refused() -> None:
    with pytest.raises(ValueError, match="unanswered_seconds must be 0"):
        LiveRules(unanswered_seconds=120)


def test_the_age_of_unanswered_flows_is_one_among_the_others() -> None:
    assert LiveRules(early_seconds=(1, 10), unanswered_seconds=2).ages_us() == (
        [1 * MICROSECONDS, 2 * MICROSECONDS, 10 * MICROSECONDS],
        1,
    )
    assert LiveRules(early_seconds=(2, 10), unanswered_seconds=2).ages_us() == (
        [2 * MICROSECONDS, 10 * MICROSECONDS],
        -1,
    )
    assert LiveRules(early_seconds=(2, 10)).ages_us() == ([2 * MICROSECONDS, 10 * MICROSECONDS], -1)
