from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from detection import scorer
from detection.preprocess import clean
from detection.record import Preprocessing
from helpers.models import make_scorer, typical_table
from training import recipe

ROOT = Path(__file__).resolve().parents[2]

RULES = Preprocessing(nan=7.0, infinity=9.0, minimum=0.0, maximum=1e6)


def test_replaces_what_a_model_cannot_read() -> None:
    raw = np.array([[np.nan, np.inf, -np.inf, -1.0, 2e6, 5.0]])
    assert clean(raw, RULES).tolist() == [[7.0, 9.0, 0.0, 0.0, 1e6, 5.0]]


def test_keeps_nan_where_the_rules_say_so() -> None:
    raw = np.array([[np.nan, np.inf, -np.inf, 5.0]])
    kept = clean(raw, RULES.model_copy(update={"nan": None}))
    assert np.array_equal(kept, [[np.nan, 9.0, 0.0, 5.0]], equal_nan=True)


def test_takes_any_layout() -> None:
    raw = np.arange(12.0).reshape(3, 4) - 5.0
    expected = np.maximum(raw, 0.0).tolist()
    raw.flags.writeable = False
    assert clean(raw, RULES).tolist() == expected
    assert clean(np.asfortranarray(raw), RULES).tolist() == expected
    assert clean(np.repeat(raw, 2, axis=1)[:, ::2], RULES).tolist() == expected


def test_leaves_its_input_alone() -> None:
    raw = np.array([[np.nan, -1.0]])
    clean(raw, RULES)
    assert np.isnan(raw[0, 0])
    assert raw[0, 1] == -1.0


@settings(deadline=None)
@given(arrays(np.float64, array_shapes(max_dims=2, min_side=0), elements=st.floats()))
def test_is_finite_and_in_range_whatever_comes(raw: np.ndarray) -> None:
    cleaned = clean(raw, RULES)
    assert cleaned.shape == raw.shape
    assert ((cleaned >= RULES.minimum) & (cleaned <= RULES.maximum)).all()
    usual = (raw >= RULES.minimum) & (raw <= RULES.maximum)
    assert (cleaned[usual] == raw[usual]).all()


def test_training_and_serving_run_the_same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recipe.clean is scorer.clean is clean
    seen: list[np.ndarray] = []

    def noting(features: np.ndarray, rules: Preprocessing) -> np.ndarray:
        seen.append(features)
        return clean(features, rules)

    monkeypatch.setattr(scorer, "clean", noting)
    make_scorer().score(typical_table([5]))
    assert [features.shape for features in seen] == [(1, 76)]


def test_no_other_module_repairs_features() -> None:
    repairs = re.compile(r"nan_to_num|np\.clip\b|\.fillna\(|SimpleImputer\(")
    rooms = [ROOT / "src" / room for room in ("detection", "training", "inference_server")]
    # A published protocol is repeated with its own repairs.
    modules = [module for room in rooms for module in room.rglob("*.py") if "published" not in module.parts]
    # An imputer is a part of the model, compiled with it.
    assert [module.name for module in modules if repairs.search(module.read_text())] == ["imputation.py"]
