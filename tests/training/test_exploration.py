from __future__ import annotations

import numpy as np
import pytest

from training.dataset import LabelledFlows
from training.describe import describe
from training.exploration import class_table, distributions, feature_table, related, skewness

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
