from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from detection.drift_bins import Bins, count_rows
from detection.record import BenignQuantiles

LEVELS = np.linspace(0.0, 1.0, 21)


def _bins(*columns: NDArray[np.float64]) -> Bins:
    values = np.quantile(np.column_stack(columns), LEVELS, axis=0).T
    return Bins(BenignQuantiles(levels=tuple(LEVELS), values=tuple(map(tuple, values.tolist()))))


def _counts(bins: Bins, *columns: NDArray[np.float64], weight: int = 1) -> NDArray[np.int64]:
    counts = np.zeros(bins.expected.shape, np.int64)
    count_rows(np.column_stack(columns), bins.edges, weight, counts)
    return counts


def test_a_continuous_feature_has_tenths_and_what_lies_outside() -> None:
    values = np.arange(1.0, 1002.0)
    bins = _bins(values)
    assert_allclose(bins.expected, [[0, *[0.1] * 10, 0]])
    assert_allclose(bins.edges[0, 1:], np.arange(101, 1002, 100))
    assert _counts(bins, values)[0].tolist() == [0, 101, *[100] * 9, 0]
    assert _counts(bins, np.array([0.0, -5.0, 1001.5]), weight=4)[0].tolist() == [8, *[0] * 10, 4]


def test_equal_quantiles_are_one_bin() -> None:
    values = np.repeat([0.0, 1.0, 7.0], [600, 250, 151])
    bins = _bins(values)
    assert_allclose(bins.expected, [[0, 0.55, 0.25, 0.2, 0]], atol=0.051)
    assert _counts(bins, values)[0].tolist() == [0, 600, 250, 151, 0]


def test_a_constant_feature_has_one_value_and_what_differs() -> None:
    bins = _bins(np.full(9, 5.0))
    assert bins.expected.tolist() == [[0, 1, 0]]
    assert _counts(bins, np.array([5.0, 4.0, 5.0, 6.0]))[0].tolist() == [1, 2, 1]


def test_features_with_few_bins_stand_beside_those_with_many() -> None:
    bins = _bins(np.zeros(1001), np.arange(1001.0))
    assert bins.expected.shape == (2, 12)
    assert bins.expected.sum(axis=1).tolist() == [1, 1]
    counts = _counts(bins, np.array([0.0, 1e300]), np.array([0.0, 0.0]))
    assert counts[0, :3].tolist() == [0, 1, 1]
    assert counts.sum(axis=1).tolist() == [2, 2]


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 60), st.just(2)), elements=st.integers(-4, 4).map(float)),
    hnp.arrays(np.float64, st.tuples(st.integers(0, 20), st.just(2)), elements=st.floats(-9, 9)),
)
def test_every_value_falls_into_the_bin_between_its_edges(
    trained: NDArray[np.float64], rows: NDArray[np.float64]
) -> None:
    bins = _bins(*trained.T)
    assert_allclose(bins.expected.sum(axis=1), 1)
    counts = np.zeros(bins.expected.shape, np.int64)
    count_rows(rows, bins.edges, 1, counts)
    for feature in range(2):
        where = np.searchsorted(bins.edges[feature], rows[:, feature], side="left")
        assert counts[feature].tolist() == np.bincount(where, minlength=counts.shape[1]).tolist()
