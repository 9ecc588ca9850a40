from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.csv_files import write_csv
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.labelled import TREE
from training.published.cic_unsw_nb15 import reproduce


def write_set(folder: Path, rows: int, classes: int = 10) -> None:
    """Write made-up flows and the numbers of their classes, as the set is published."""
    random = np.random.default_rng(0)
    numbers = np.arange(rows) % classes
    features = 10.0 ** (numbers[:, None] / 2) * np.exp(random.normal(0, 0.5, (rows, len(COMMON_NAMES))))
    write_csv(FlowTable.from_features(features, COMMON_NAMES, "cic-v4"), folder / "Data.csv")
    (folder / "Label.csv").write_text("Label\n" + "\n".join(map(str, numbers.tolist())) + "\n")


@pytest.mark.slow
def test_ten_classes_are_told_apart_by_the_published_protocol(tmp_path: Path) -> None:
    write_set(tmp_path, 400)
    found = reproduce([str(tmp_path)], TREE, told=lambda _: None)
    macro = {each.model: each for each in found.results if each.metric == "macro F1"}
    assert macro["ours: tree"].published == 0.6197
    assert macro["ours: gradient-boosting"].published == 0.6095
    assert macro["ours: tree"].ours > 0.3
    assert macro["ours: tree"].interval is not None
    assert sum(each.model == "ours: tree" for each in found.results) == 11
    assert found.rows == 400


def test_too_few_rows_of_a_class_are_an_error(tmp_path: Path) -> None:
    write_set(tmp_path, 20)
    with pytest.raises(ValueError, match="class"):
        reproduce([str(tmp_path)], TREE, told=lambda _: None)
