from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.calibration import LONGEST_SILENCE_US, Coverage, ScoredTraffic, lowest_threshold

SCORES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 0.999999, 1.0])), max_size=60)
DAY = 86_400.0


def found_or_none(scores, allowed):
    try:
        return lowest_threshold(np.array(scores, np.float64), allowed)
    except ValueError:
        return None


@given(SCORES, st.integers(0, 70))
def test_the_threshold_is_the_lowest_that_is_allowed(scores, allowed):
    threshold = found_or_none(scores, allowed)
    p_attack = np.array(scores, np.float64)
    if threshold is None:
        assert (p_attack >= 1.0).sum() > allowed
        return
    assert 0 < threshold <= 1
    assert threshold == round(threshold, 6)
    assert (p_attack >= threshold).sum() <= allowed
    lower = round(threshold - 1e-6, 6)
    assert lower == 0 or (p_attack >= lower).sum() > allowed
    below = p_attack[p_attack < threshold]
    if lower > 0:
        assert (p_attack >= below.max()).sum() > allowed


@given(SCORES, st.integers(0, 70), st.integers(0, 70))
def test_who_allows_more_gets_no_higher_threshold(scores, one, other):
    few, many = (found_or_none(scores, allowed) for allowed in sorted((one, other)))
    if few is not None:
        assert many is not None
        assert many <= few


def test_a_model_that_is_sure_of_too_many():
    with pytest.raises(ValueError, match="no threshold flags at most 1 of these 3 flows"):
        lowest_threshold(np.array([1.0, 1.0, 0.2]), 1)


@given(SCORES, st.floats(0, 1000), st.floats(1, 30 * DAY))
def test_a_day_of_such_traffic_flags_at_most_what_was_asked(scores, flagged_a_day, seconds):
    traffic = ScoredTraffic(np.array(scores, np.float64), 3, seconds)
    try:
        threshold = traffic.threshold_for(flagged_a_day)
    except ValueError:
        return
    at = traffic.at(threshold)
    assert at.a_day <= flagged_a_day * (1 + 1e-12)
    assert at.share == pytest.approx(at.flows / (len(scores) + 3))


@given(SCORES, st.floats(0.1, 1000), st.lists(st.floats(0.01, 1), max_size=3))
def test_the_trade_off_is_monotone(scores, flagged_a_day, others):
    rows = ScoredTraffic(np.array(scores, np.float64), 0, DAY).around(flagged_a_day, others)
    thresholds = [row.threshold for row in rows]
    assert thresholds == sorted(set(thresholds), reverse=True)
    assert set(others) <= set(thresholds)
    assert [row.flows for row in rows] == sorted(row.flows for row in rows)


MINUTE = 60_000_000
FLOWS = st.lists(st.tuples(st.integers(0, 300 * MINUTE), st.integers(0, 20 * MINUTE)), max_size=40)


def covered(flows):
    """The covered time by walking through the flows one by one, in microseconds."""
    total, begin, reached = 0, None, 0
    for start, duration in sorted(flows):
        if begin is None or start - reached > LONGEST_SILENCE_US:
            total += reached - begin if begin is not None else 0
            begin, reached = start, start
        reached = max(reached, start + duration)
    return total + (reached - begin if begin is not None else 0)


@given(FLOWS, st.lists(st.integers(0, 40), max_size=4))
def test_coverage_is_the_same_however_the_flows_come(flows, cuts):
    coverage = Coverage()
    for part in np.split(
        np.array(flows, np.int64).reshape(-1, 2), sorted(min(cut, len(flows)) for cut in cuts)
    ):
        coverage.add(part[:, 0], part[:, 0] + part[:, 1])
    assert coverage.seconds == pytest.approx(covered(flows) / 1e6)


def test_the_time_when_nobody_listened_is_not_covered():
    hour = 60 * MINUTE
    starts = np.concatenate([np.arange(0, hour, MINUTE), 10 * hour + np.arange(0, hour, MINUTE)])
    coverage = Coverage()
    coverage.add(starts, starts + MINUTE)
    assert coverage.seconds == 2 * 3600
