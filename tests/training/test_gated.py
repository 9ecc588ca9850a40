from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from context.features import CONTEXT_NAMES
from detection.compile_sklearn import compile_pipeline
from flows.schema import COMMON_NAMES
from training.gated import DISCOUNT, RISING, Gated

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


def odds(gates: list[Any], features: pd.DataFrame) -> NDArray[np.float64]:
    p = np.array([gate.predict_proba(features)[:, 1] for gate in gates])
    return np.exp(np.mean(np.log(p / (1 - p)), axis=0))


def test_attacks_are_told_by_the_gates_and_their_kinds_by_the_forest(fitted: Gated) -> None:
    features, codes = flows()
    *gates, kinds = fitted.stack_.estimators_
    louder = np.maximum(odds(gates[:2], features), odds(gates[2:], features) / np.exp(DISCOUNT))
    attack = louder / (1 + louder)
    expected = np.column_stack([1 - attack, attack[:, None] * kinds.predict_proba(features)])
    assert fitted.classes_.tolist() == CODES.tolist()
    assert np.abs(fitted.predict_proba(features) - expected).max() < 1e-7
    assert np.mean(fitted.predict(features) == codes) > 0.8


def test_what_flows_alone_teach_counts_where_context_is_known() -> None:
    features, codes = flows()
    # Attacks of one kind were seen with context, those of the other without.
    unknown = (codes == CODES[1]) | ((codes == 0) & (np.arange(len(codes)) % 2 == 0))
    features.loc[unknown, ["src_ports_10s", "src_asymmetry_10s"]] = np.nan
    features.loc[codes == CODES[1], "idle_min"] += 100
    model = Gated(gates=2, rounds=60, trees=5).fit(features, codes)
    quiet = features[codes == CODES[1]].assign(src_ports_10s=0.1, src_asymmetry_10s=0.5)
    *gates, _ = model.stack_.estimators_
    assert np.median(odds(gates[2:], quiet)) > 100
    assert (odds(gates[2:], quiet) == odds(gates[2:], quiet.assign(src_ports_10s=9.0))).all()
    assert np.median(model.predict_proba(quiet)[:, 0]) < 0.03


def test_without_rows_of_both_sorts_there_is_one_sort_of_gates() -> None:
    features, codes = flows()
    for frame in (
        features.fillna(1.0),
        features.assign(src_ports_10s=np.nan, src_asymmetry_10s=np.nan),
        features[["flow_duration", "idle_min"]],
    ):
        model = Gated(gates=2, rounds=5, trees=2).fit(frame, codes)
        *gates, _ = model.stack_.estimators_
        assert len(gates) == 2
        attack = odds(gates, frame) / (1 + odds(gates, frame))
        assert np.abs(1 - model.predict_proba(frame)[:, 0] - attack).max() < 1e-7


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
