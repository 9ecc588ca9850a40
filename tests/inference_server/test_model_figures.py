from __future__ import annotations

import json
from pathlib import Path

from inference_server.model_figures import measured
from training.evaluation import ClassFigures, Evaluation

STARTER = Path(__file__).parents[2] / "models" / "starter" / "record.json"


def test_figures_of_an_evaluation_come_back_by_class_and_with_their_confusion() -> None:
    evaluation = Evaluation(
        train_rows=10,
        test_rows=5,
        classes=(ClassFigures(0, 3, 1.0, 0.5, 0.75), ClassFigures(5, 2, 0.25, 1.0, 0.4)),
        accuracy=0.8,
        attacks_flagged=1.0,
        benign_flagged=0.0,
        confusion={(0, 0): 2, (0, 5): 1, (5, 5): 2},
    )
    figures = {f"random split/{name}": value for name, value in evaluation.metrics().items()}
    (found,) = measured(figures)
    assert found == {
        "on": "random split",
        "figures": {"accuracy": 0.8, "macro f1": evaluation.macro_f1},
        "classes": [
            {"label": "Benign", "precision": 1.0, "recall": 0.5, "f1": 0.75, "n": 3},
            {"label": "DoS Hulk", "precision": 0.25, "recall": 1.0, "f1": 0.4, "n": 2},
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
