from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from detection.preprocess import clean
from detection.record import Preprocessing

RULES = Preprocessing(nan=7.0, infinity=9.0, minimum=0.0, maximum=1e6)


def test_replaces_what_a_model_cannot_read() -> None:
    raw = np.array([[np.nan, np.inf, -np.inf, -1.0, 2e6, 5.0]])
    assert clean(raw, RULES).tolist() == [[7.0, 9.0, 0.0, 0.0, 1e6, 5.0]]


def test_leaves_its_input_alone() -> None:
    raw = np.array([[np.nan, -1.0]])
    clean(raw, RULES)
    assert np.isnan(raw[0, 0])
    assert raw[0, 1] == -1.0


@given(arrays(np.float64, array_shapes(max_dims=2, min_side=0), elements=st.floats()))
def test_is_finite_and_in_range_whatever_comes(raw: np.ndarray) -> None:
    cleaned = clean(raw, RULES)
    assert cleaned.shape == raw.shape
    assert ((cleaned >= RULES.minimum) & (cleaned <= RULES.maximum)).all()
    usual = (raw >= RULES.minimum) & (raw <= RULES.maximum)
    assert (cleaned[usual] == raw[usual]).all()
