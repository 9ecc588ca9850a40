from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.labelled import CAPTURES, capture_folder
from helpers.models import make_scorer
from training.capture_set import read_captures
from training.captures import CaptureScores, figures, operating_threshold, score_captures


def scores(*p_attack: float, insufficient: int = 0) -> CaptureScores:
    return CaptureScores("capture.pcap", np.sort(p_attack), insufficient)


@given(
    st.lists(st.floats(0, 0.999), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.002, 0.05, 0.3]),
)
def test_the_threshold_is_the_lowest_that_is_allowed(p_attack: list[float], share: float) -> None:
    benign = [scores(*p_attack)]
    threshold = operating_threshold(benign, share)
    assert benign[0].flagged(threshold) <= share * len(p_attack)
    next_lower = round(threshold - 1e-6, 6)
    assert benign[0].flagged(next_lower) > share * len(p_attack)


def test_all_captures_have_a_say() -> None:
    assert operating_threshold([scores(0.1, 0.5), scores(0.2, 0.7)], 0.0) == 0.700001
    assert operating_threshold([scores(0.1, 0.5), scores(0.2, 0.7)], 0.25) == 0.500001


def test_a_model_sure_of_benign_attacks_is_no_use() -> None:
    with pytest.raises(ValueError, match="no threshold flags at most 0 of these 2 flows"):
        operating_threshold([scores(0.1, 1.0)], 0.002)


def test_figures_count_what_cannot_be_scored_as_not_flagged() -> None:
    found = figures([scores(0.1, 0.9, insufficient=2), scores(0.9), scores(0.1, 0.2)], 0.9)
    assert (found.captures, found.flows, found.scored, found.insufficient, found.flagged) == (3, 7, 5, 2, 2)
    assert found.share == pytest.approx(2 / 7)
    assert found.scored_share == pytest.approx(2 / 5)
    assert found.mean_share == pytest.approx((1 / 4 + 1 + 0) / 3)
    assert found.found == 2
    assert found.metrics()["insufficient"] == pytest.approx(2 / 7)


def test_scores_captures_and_counts_what_is_not_judged(tmp_path: Path) -> None:
    captures = read_captures(capture_folder(tmp_path))
    found = score_captures(captures, make_scorer())
    assert [capture.name for capture in found] == list(CAPTURES)
    assert [capture.flows for capture in found] == [len(capture.features) for capture in captures]
    for capture in found:
        assert (np.diff(capture.p_attack) >= 0).all()
        assert np.isfinite(capture.p_attack).all()
