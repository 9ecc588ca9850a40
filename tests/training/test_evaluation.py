from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from training.evaluation import evaluate

CLASSES = (0, 5, 17)


@given(st.lists(st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1))
def test_agrees_with_scikit_learn(rows: list[tuple[int, int]]) -> None:
    true, called = (np.array(column, np.int32) for column in zip(*rows, strict=True))
    codes = np.concatenate([true, [0, 5]]).astype(np.int32)
    predicted = np.concatenate([called, [0, 5]])
    probabilities = (predicted[:, None] == np.array(CLASSES)) * 0.8 + 0.1
    found = evaluate(probabilities, codes, CLASSES, threshold=0.5, train_rows=10)
    expected = precision_recall_fscore_support(codes, predicted, labels=CLASSES, zero_division=0.0)
    ours = [[part.precision, part.recall, part.f1, part.n] for part in found.classes]
    assert np.allclose(ours, np.array(expected).T)
    assert found.accuracy == pytest.approx(np.mean(codes == predicted))
    assert found.macro_f1 == pytest.approx(np.mean(expected[2]))


def test_the_threshold_decides_what_is_flagged() -> None:
    p_benign = np.array([0.9, 0.2, 0.3, 0.1])
    probabilities = np.column_stack([p_benign, 1 - p_benign])
    found = evaluate(probabilities, np.array([0, 0, 5, 5], np.int32), (0, 5), threshold=0.8, train_rows=1)
    assert (found.attacks_flagged, found.benign_flagged) == (0.5, 0.5)


def test_metrics_are_named_by_class() -> None:
    found = evaluate(np.eye(2), np.array([0, 5], np.int32), (0, 5), threshold=0.5, train_rows=1)
    assert found.metrics() == {
        "accuracy": 1.0,
        "macro f1": 1.0,
        **{
            f"{name}/{kind}": 1.0 for name in ("Benign", "DoS Hulk") for kind in ("precision", "recall", "f1")
        },
        **{f"{name}/n": 1 for name in ("Benign", "DoS Hulk")},
        **{f"confusion/{name}/{name}": 1 for name in ("Benign", "DoS Hulk")},
    }
