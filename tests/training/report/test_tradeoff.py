from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from detection.record import InsufficientRule
from flows.schema import COMMON_NAMES
from helpers.labelled import capture_folder
from training.capture_set import Entry, read_captures
from training.report.tradeoff import Scored, drawn_captures, flagged, highest_passed, scored, tradeoff


def capture(kind: str, source: str, *p_attack: float) -> Scored:
    entry = Entry(file=f"{kind}-{source}", kind=kind, label="", source=source)  # type: ignore[arg-type]
    return Scored(entry, np.array(p_attack))


CAPTURES = (
    capture("benign", "a", *np.linspace(0, 0.4, 10)),
    capture("benign", "b", *np.linspace(0, 0.8, 10)),
    capture("attack", "a", 0.5, 0.9),
    capture("attack", "b", 0.5, 0.3, 0.9, 0.9),
)


def test_no_source_has_a_say_in_its_own_threshold() -> None:
    benign_a, benign_b, attack_a, attack_b = flagged(CAPTURES, 0.0)
    assert (benign_a.sum(), attack_a.tolist()) == (0, [False, True])
    assert (benign_b.sum(), attack_b.tolist()) == (5, [True, False, True, True])


def test_captures_weigh_the_same_first_and_flows_then() -> None:
    (point,) = tradeoff(CAPTURES, (0.0,))
    assert point.mean_share.value == pytest.approx((1 / 2 + 3 / 4) / 2)
    assert point.attack_share.value == pytest.approx(4 / 6)
    assert (point.found, point.touched, point.alarmed) == (2, 2, 1)
    assert point.benign_share.value == pytest.approx(5 / 20)
    low, high = point.mean_share.interval
    assert (low, high) == pytest.approx((0.5, 0.75))


def test_allowing_more_never_finds_less() -> None:
    points = tradeoff(CAPTURES)
    for before, after in pairwise(points):
        assert before.attack_share.value <= after.attack_share.value
        assert before.benign_share.value <= after.benign_share.value


def test_scores_that_are_all_alike_flag_nothing() -> None:
    assert highest_passed([np.ones(5)], 0.2) == 1.0
    assert highest_passed([np.full(5, -1.0)], 0.2) == 0.0


def test_one_source_cannot_be_judged_by_others() -> None:
    with pytest.raises(ValueError, match="benign captures of at least two sources"):
        tradeoff([capture("benign", "a", 0.1), capture("attack", "a", 0.9)])
    with pytest.raises(ValueError, match="attack and benign ones"):
        tradeoff([capture("benign", "a", 0.1), capture("benign", "b", 0.9)])


def test_draws_take_sources_whole_in_number() -> None:
    drawn = drawn_captures(["a", "a", "b"], draws=200)
    assert set(drawn[:, 2].tolist()) == {0, 1, 2}
    assert ((drawn[:, :2].sum(axis=1) + 2 * drawn[:, 2]) == 4).all()


def test_flows_that_are_not_judged_are_never_flagged(tmp_path: Path) -> None:
    captures = read_captures(capture_folder(tmp_path))
    everything = scored(captures, COMMON_NAMES, lambda features: np.ones(len(features)))
    nothing = scored(
        captures,
        COMMON_NAMES,
        lambda features: np.ones(len(features)),
        InsufficientRule(max_packets=10**9, max_duration_us=0),
    )
    assert all((each.p_attack == 1).all() for each in everything)
    assert all((each.p_attack == -1).all() for each in nothing)
