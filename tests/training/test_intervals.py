from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from training.intervals import bootstrapped_f1, f1_of, percentiles, wilson


def test_wilsons_interval_has_its_known_values() -> None:
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-6)
    assert wilson(0, 20) == pytest.approx((0.0, 0.161125), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_holds_the_share(counts: tuple[int, int]) -> None:
    low, high = wilson(*counts)
    assert 0 <= low <= counts[0] / counts[1] <= high <= 1


def test_f1_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    true, given_ = random.integers(0, 4, 200), random.integers(0, 4, 200)
    counts = np.zeros((4, 4), np.int64)
    np.add.at(counts, (true, given_), 1)
    assert f1_of(counts) == pytest.approx(f1_score(true, given_, average=None))


def test_the_bootstrap_is_that_of_drawing_rows() -> None:
    counts = np.array([[80, 20], [5, 45]])
    drawn = bootstrapped_f1(counts, draws=4000)
    low, high = percentiles(drawn[:, 1])
    true, given_ = np.repeat([0, 0, 1, 1], counts.ravel()), np.repeat([0, 1, 0, 1], counts.ravel())
    random = np.random.default_rng(1)
    rows = [random.integers(0, 150, 150) for _ in range(1000)]
    by_rows = np.quantile([f1_score(true[some], given_[some]) for some in rows], [0.025, 0.975])
    assert (low, high) == pytest.approx(by_rows.tolist(), abs=0.015)
    assert (drawn == bootstrapped_f1(counts, draws=4000)).all()


def test_a_class_that_a_draw_lacks_is_left_out() -> None:
    drawn = bootstrapped_f1(np.array([[50, 0], [0, 1]]))
    assert np.isnan(drawn[:, 1]).any()
    assert percentiles(drawn[:, 1]) == (1.0, 1.0)
    assert percentiles(np.full(3, np.nan)) == (0.0, 1.0)
