from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.csv_files import write_csv
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.labelled import TREE, labelled_flows
from helpers.models import made_up_flows
from training.published.cstub_2018 import NAMES, as_published, reproduce


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A day of made-up flows with labels as CSE-CIC-IDS2018 spells them."""
    features, codes = made_up_flows(400, classes=(0, 5))
    features[0, COMMON_NAMES.index("flow_byts_s")] = np.inf
    labels = np.where(codes == 0, "Benign", "DoS attacks-Hulk").astype(object)
    table = FlowTable.from_features(features, COMMON_NAMES, "cic-2018", extras={"label": labels})
    write_csv(table, tmp_path / "dos.csv")
    return tmp_path


def test_average_precision_stands_beside_the_published_one(day: Path) -> None:
    found = reproduce([str(day)], TREE, rounds=5, told=lambda _: None)
    results = {(each.on, each.model, each.metric): each for each in found.results}
    forest = results["validation rows", "random forest", "average precision"]
    assert (forest.published, forest.ours) == (0.98102, pytest.approx(1.0, abs=0.02))
    assert results["validation rows", "ours: tree", "average precision"].published == 0.98266
    assert ("test rows", "ours: tree", "average precision") in results


def test_the_68_features_and_their_holes_are_as_published() -> None:
    assert len(NAMES) == 68
    flows = labelled_flows(10)
    flows.features[0, COMMON_NAMES.index("init_fwd_win_byts")] = -1
    flows.features[1, COMMON_NAMES.index("flow_iat_min")] = -5
    flows.features[2, COMMON_NAMES.index("flow_byts_s")] = np.inf
    found = as_published(flows)
    assert found[0, COMMON_NAMES.index("init_fwd_win_byts")] == -1
    assert np.isnan(found).sum() == 2
