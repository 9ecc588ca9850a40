from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from training.evaluation import HEADLINE_ROWS, evaluate

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
    assert found.macro_f1 == pytest.approx(np.mean(expected[2][expected[3] > 0]))
    assert found.macro_f1_interval.low <= found.macro_f1_interval.high


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
        "attack recall": 1.0,
        "false positive rate": 0.0,
        **{
            f"{name}/{kind}": 1.0 for name in ("Benign", "DoS Hulk") for kind in ("precision", "recall", "f1")
        },
        **{f"{name}/n": 1 for name in ("Benign", "DoS Hulk")},
        **{f"confusion/{name}/{name}": 1 for name in ("Benign", "DoS Hulk")},
    }


def test_classes_of_few_rows_have_no_part_in_the_headline() -> None:
    codes = np.repeat(np.array([0, 5, 17], np.int32), [HEADLINE_ROWS, HEADLINE_ROWS, HEADLINE_ROWS - 1])
    predicted = np.where(codes == 17, 0, codes)
    probabilities = (predicted[:, None] == np.array(CLASSES)) * 1.0
    found = evaluate(probabilities, codes, CLASSES, threshold=0.5, train_rows=1)
    benign = 2 * 30 / (30 + 59)
    assert found.macro_f1 == pytest.approx((benign + 1 + 0) / 3)
    assert found.headline_f1 == pytest.approx((benign + 1) / 2)
    assert found.headline_f1_interval.low < found.headline_f1 < found.headline_f1_interval.high


def test_a_class_that_was_not_taught_counts_as_missed() -> None:
    codes = np.array([0, 0, 5, 17], np.int32)
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    found = evaluate(probabilities, codes, (0, 5), threshold=0.5, train_rows=1)
    assert found.untrained == (17,)
    assert [(part.code, part.n, part.recall) for part in found.classes] == [(0, 2, 1), (5, 1, 1), (17, 1, 0)]
    assert found.macro_f1 == pytest.approx((4 / 5 + 1 + 0) / 3)
    assert (found.attacks_called, found.benign_called) == (0.5, 0.0)
