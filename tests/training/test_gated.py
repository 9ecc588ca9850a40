from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from context.features import CONTEXT_NAMES
from detection.compile_sklearn import compile_pipeline
from flows.schema import COMMON_NAMES
from training.gated import RISING, Gated

NAMES = ("flow_duration", "src_ports_10s", "src_asymmetry_10s", "idle_min")
CODES = np.array([0, 5, 17], np.int32)


def flows(rows: int = 900) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Three classes by two columns, a tenth of all values unknown, and noise that hides the limits."""
    random = np.random.default_rng(4)
    values = random.exponential(size=(rows, len(NAMES)))
    seen = values[:, 1] + random.normal(0, 0.3, rows) > 1
    codes = np.where(seen, CODES[1 + (values[:, 0] > 0.7)], 0).astype(np.int32)
    values[random.random(values.shape) < 0.1] = np.nan
    return pd.DataFrame(values, columns=list(NAMES)), codes


@pytest.fixture(scope="module")
def fitted() -> Gated:
    return Gated(3, gates=2, rounds=20, trees=5).fit(*flows())


def test_attacks_are_told_by_the_gates_and_their_kinds_by_the_forest(fitted: Gated) -> None:
    features, codes = flows()
    *gates, kinds = fitted.stack_.estimators_
    logits = np.mean(
        [np.log(gate.predict_proba(features) / (1 - gate.predict_proba(features)))[:, 1] for gate in gates],
        axis=0,
    )
    attack = 1 / (1 + np.exp(-logits))
    expected = np.column_stack([1 - attack, attack[:, None] * kinds.predict_proba(features)])
    assert fitted.classes_.tolist() == CODES.tolist()
    assert np.abs(fitted.predict_proba(features) - expected).max() < 1e-7
    assert np.mean(fitted.predict(features) == codes) > 0.8


def test_what_serves_answers_the_same_and_reads_what_is_not_known(fitted: Gated) -> None:
    features, _ = flows()
    model = compile_pipeline(fitted.stack_)
    assert model.takes_nan
    assert model.explainable
    assert np.abs(model.probabilities(features.to_numpy()) - fitted.predict_proba(features)).max() < 1e-12


def test_more_of_what_hosts_did_never_speaks_for_a_benign_flow(fitted: Gated) -> None:
    features, _ = flows(100)
    steps = [
        fitted.predict_proba(features.assign(src_ports_10s=value))[:, 0] for value in np.arange(0, 3, 0.1)
    ]
    assert (np.diff(np.array(steps), axis=0) <= 1e-12).all()
    assert np.ptp(np.array(steps), axis=0).max() > 0.1


def test_counts_and_shares_are_what_speaks_for_attacks() -> None:
    assert set(CONTEXT_NAMES) > RISING
    assert not RISING & set(COMMON_NAMES)
    assert {name for name in CONTEXT_NAMES if name not in RISING} == {
        name for name in CONTEXT_NAMES if "asymmetry" in name
    }


def test_a_column_of_which_nothing_is_known_says_nothing() -> None:
    features, codes = flows()
    model = Gated(gates=1, rounds=5, trees=2).fit(features.assign(src_ports_10s=np.nan), codes)
    answers = [model.predict_proba(features.assign(src_ports_10s=value)) for value in (np.nan, 0.0, 5.0)]
    assert (answers[0] == answers[1]).all()
    assert (answers[1] == answers[2]).all()


def test_attacks_alone_teach_no_difference() -> None:
    features, codes = flows()
    with pytest.raises(ValueError, match="needs benign flows and attacks"):
        Gated().fit(features[codes != 0], codes[codes != 0])
