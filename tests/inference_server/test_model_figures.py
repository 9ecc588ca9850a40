from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from inference_server.model_figures import measured
from training.evaluation import evaluate

STARTER = Path(__file__).parents[2] / "models" / "starter" / "record.json"


def test_figures_of_an_evaluation_come_back_by_class_and_with_their_confusion() -> None:
    codes, given = np.array([0, 0, 0, 5, 5], np.int32), np.array([0, 0, 5, 5, 5])
    probabilities = (given[:, None] == np.array([0, 5])) * 1.0
    evaluation = evaluate(probabilities, codes, (0, 5), threshold=0.5, train_rows=10)
    figures = {f"random split/{name}": value for name, value in evaluation.metrics().items()}
    (found,) = measured(figures)
    assert found == {
        "on": "random split",
        "figures": {
            "accuracy": 0.8,
            "macro f1": pytest.approx(0.8),
            "attack recall": 1.0,
            "false positive rate": pytest.approx(1 / 3),
        },
        "classes": [
            {"label": "Benign", "precision": 1.0, "recall": pytest.approx(2 / 3), "f1": 0.8, "n": 3},
            {"label": "DoS Hulk", "precision": pytest.approx(2 / 3), "recall": 1.0, "f1": 0.8, "n": 2},
        ],
        "confusion": {"Benign": {"Benign": 2, "DoS Hulk": 1}, "DoS Hulk": {"DoS Hulk": 2}},
    }


def test_the_starters_figures_have_every_class_and_the_captures() -> None:
    record = json.loads(STARTER.read_text())
    found = {one["on"]: one for one in measured(record["figures"])}
    assert [each["label"] for each in found["time-ordered split"]["classes"]] == record["class_names"]
    assert all(each["n"] > 0 for each in found["random split"]["classes"])
    assert found["benign captures"]["figures"]["flagged of scored flows"] > 0
    assert found["benign captures"]["classes"] == []
