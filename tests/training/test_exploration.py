from __future__ import annotations

import numpy as np
import pytest

from flows.schema import COMMON_NAMES
from helpers.models import made_up_flows
from training.dataset import LabelledFlows
from training.describe import describe
from training.estimators import ESTIMATORS
from training.exploration import (
    class_table,
    comparison,
    distributions,
    feature_table,
    precision_recall,
    related,
    skewness,
)
from training.report.split_study import Measured, measured
from training.splits import Split

CODES = np.array([0, 0, 0, 17, 17, 5], np.int32)
FEATURES = np.array(
    [[1, 2, 7, 9], [2, 4, 7, -3], [3, 9, 7, np.inf], [4, 16, 7, np.nan], [5, 25, 7, 1], [6, 36, 7, 0]],
    np.float64,
)
NAMES = ("flow_duration", "tot_fwd_pkts", "fin_flag_cnt", "flow_byts_s")
FLOWS = LabelledFlows.of(FEATURES, NAMES, CODES, "improved")


def test_classes_are_named_and_counted_the_largest_first() -> None:
    table = class_table(describe(FLOWS))
    assert table["class"].tolist() == ["Benign", "Portscan", "DoS Hulk"]
    assert table["flows"].tolist() == [3, 2, 1]
    assert table["share"].sum() == pytest.approx(1)
    assert table["family"].tolist() == ["benign", "scan", "dos"]


def test_features_values_that_are_no_numbers_are_counted_apart() -> None:
    table = feature_table(FLOWS)
    rates = table.loc["flow_byts_s"]
    assert (rates["not finite"], rates["negative"], rates["minimum"], rates["maximum"]) == (2, 1, -3, 9)
    assert table.loc["fin_flag_cnt", ["distinct", "skewness"]].tolist() == [1, 0]
    assert table.loc["flow_duration", "median"] == 3.5


def test_skewness_is_that_of_the_third_moment() -> None:
    values = np.array([[0.0], [0.0], [0.0], [4.0]])
    assert skewness(values)[0] == pytest.approx(2 / np.sqrt(3))


def test_features_whose_ranks_go_together_are_found() -> None:
    table = related(FLOWS, 0.99)
    assert table[["feature", "other"]].to_numpy().tolist() == [["flow_duration", "tot_fwd_pkts"]]
    assert table["correlation"].tolist() == pytest.approx([1.0])


def test_a_picture_has_an_axis_a_feature() -> None:
    figure = distributions(FLOWS, NAMES)
    assert [axes.get_title() for axes in figure.axes] == list(NAMES)
    with pytest.raises(ValueError, match="not in tuple"):
        distributions(FLOWS, ["nothing"])


@pytest.fixture(scope="module")
def found() -> dict[str, Measured]:
    features, codes = made_up_flows(300)
    flows = LabelledFlows.of(features, COMMON_NAMES, codes, "improved")
    kinds = ("decision-tree", "isolation-forest")
    return {name: measured(flows, ESTIMATORS[name], Split.RANDOM)[0] for name in kinds}


def test_kinds_stand_side_by_side(found: dict[str, Measured]) -> None:
    table = comparison(found)
    assert table.index.tolist() == ["decision-tree", "isolation-forest"]
    assert table.loc["decision-tree", "macro F1"] == found["decision-tree"].evaluation.macro_f1
    assert " to " in table.loc["decision-tree", "95 % interval"]


def test_each_kind_has_a_line(found: dict[str, Measured]) -> None:
    [axes] = precision_recall(found).axes
    names = [text.get_text().partition(" ")[0] for text in axes.get_legend().get_texts()]
    assert names == list(found)
