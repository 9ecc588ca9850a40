from __future__ import annotations

import numpy as np

from helpers.models import made_up_flows
from training.golden import golden_rows


def test_rows_are_made_and_not_taken_from_the_data() -> None:
    features, codes = made_up_flows(600)
    rows = golden_rows(features, codes, 64, seed=1)
    assert rows.shape == (64, 76)
    assert not (rows[:, None] == features[None]).all(axis=2).any()
    assert np.array_equal(rows, golden_rows(features, codes, 64, seed=1), equal_nan=True)


def test_rows_hold_what_preprocessing_must_replace() -> None:
    features, codes = made_up_flows(600)
    rows = golden_rows(features, codes, 64, seed=1)
    assert np.isnan(rows).any()
    assert np.isposinf(rows).any()
    assert np.isneginf(rows).any()
    assert (rows < 0).any()


def test_rates_over_no_time_lead_to_known_values() -> None:
    features, codes = made_up_flows(600)
    features[::3, 5] = np.inf
    rows = golden_rows(features, codes, 64, seed=1)
    assert np.isfinite(rows[:55, 5]).all()
    assert np.isinf(features[::3, 5]).all()
