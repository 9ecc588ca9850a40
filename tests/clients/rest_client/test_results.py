from __future__ import annotations

import pandas as pd
import pytest

from clients.frames import Overflow
from clients.rest_client.dataset import NO_LABEL, Dataset
from clients.rest_client.results import Results, show

LABELS = ["Benign"] * 4 + ["BENIGN"] + ["DoS Hulk"] * 3 + ["PortScan"] * 2 + [NO_LABEL]
ANSWERS = [0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 1.0]


def results(labels: list[str], answers: list[float]) -> Results:
    flows = pd.DataFrame({"dst_port": range(len(labels))})
    return Results(Dataset(flows, pd.Series(labels)), answers)


def test_figures() -> None:
    found = results(LABELS, ANSWERS)
    assert found.accuracy == 8 / 10
    assert [
        (each.name, each.flows, each.called_attack, each.precision, each.recall) for each in found.by_class()
    ] == [
        ("Benign", 5, 1, 4 / 5, 4 / 5),
        ("Attack", 5, 4, 4 / 5, 4 / 5),
        ("DoS Hulk", 3, 3, 3 / 4, 1.0),
        ("PortScan", 2, 1, 1 / 2, 1 / 2),
    ]


def test_nothing_is_divided_by_nothing() -> None:
    benign, attack = results(["Benign"], [0.0]).by_class()
    assert (benign.precision, benign.recall) == (1.0, 1.0)
    assert (attack.precision, attack.recall) == (None, None)


def test_details_have_the_predecessors_columns() -> None:
    details = results(["Benign", "DoS Hulk", NO_LABEL], [1.0, 1.0, 0.0]).details
    assert [*details.columns] == ["is_correct", "label", "predicted_label", "prediction_raw", "dst_port"]
    assert details["is_correct"].to_list() == [False, True, None]
    assert details["predicted_label"].to_list() == ["Attack", "Attack", "Benign"]


def test_unlabelled_flows_have_answers_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = results([NO_LABEL] * 2, [1.0, 0.0])
    assert found.accuracy is None
    assert [*found.details.columns] == ["predicted_label", "prediction_raw", "dst_port"]
    show(found, Overflow.WRAP, 100)
    shown = capsys.readouterr().out
    assert shown.startswith("\nPrediction Results:\n===================\n\nDetails:\n--------\n")


def test_what_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show(results(LABELS, ANSWERS), Overflow.NOWRAP, 3)
    shown = capsys.readouterr().out
    assert "\nPrediction Results:\n===================\nAccuracy: 80.00%\n" in shown
    assert "\nDetails:\n--------\n" in shown
    rows = [line.replace("│", " ").split() for line in shown.splitlines() if line.startswith("│")]
    assert ["PortScan", "2", "50.00%", "50.00%"] in rows
    assert ["PortScan", "1", "1"] in rows
    assert "... and 8 more: --details 11 shows all" in shown
