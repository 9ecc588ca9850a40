from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.kdd99_files import COLUMNS
from helpers.flows import SHARED, needs_shared
from training.estimators import ESTIMATORS
from training.published.kdd99 import reproduce

TREE = ESTIMATORS["decision-tree"]
OURS = "ours: decision-tree"

ATTACKS = ("normal", "smurf", "ipsweep", "guess_passwd", "perl")


def write_connections(path: Path, rows: int, *, seed: int) -> None:
    """Write made-up connections ordered by attack; the test files have none that the others lack."""
    random = np.random.default_rng(seed)
    lines = []
    for row in range(rows):
        attack = row * len(ATTACKS) // rows
        numbers = {name: f"{random.normal(attack, 20):.2f}" for name in COLUMNS}
        numbers |= {"protocol_type": "tcp", "service": "http", "flag": "SF"}
        lines.append(",".join([*numbers.values(), f"{ATTACKS[attack]}."]))
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_connections(tmp_path / "kddcup.data_10_percent", 300, seed=0)
    write_connections(tmp_path / "corrected", 100, seed=1)
    return tmp_path


def test_the_published_figures_stand_beside_ours(folder: Path) -> None:
    told: list[str] = []
    found = reproduce([str(folder)], TREE, told=told.append)
    published = {
        each.model: each.published
        for each in found.results
        if each.on == "random rows, with time" and each.metric == "accuracy"
    }
    assert published == {
        "tree of depth 4": 0.99385,
        "linear SVM": 0.99769,
        "network 30-10": 0.99934,
        OURS: None,
    }
    assert all(each.published is None for each in found.results if "without time" in each.on)
    test_file = [each for each in found.results if each.on == "KDD99 corrected"]
    assert {each.model for each in test_file} == {"decision-tree", "linear-svm", "mlp"}
    assert {each.metric for each in test_file} == {"accuracy", "macro F1"}
    assert found.rows == 300
    assert "random rows, with time: linear SVM" in told


def test_the_row_s_number_gives_the_attacks_away(folder: Path) -> None:
    results = reproduce([str(folder)], TREE, told=lambda _: None).results
    ours = {each.on: each.ours for each in results if each.model == OURS and each.metric == "accuracy"}
    assert ours["random rows, with time"] > 0.97
    assert ours["random rows, with time"] >= ours["random rows, without time"]


def test_without_any_of_the_files_it_says_which_are_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no kddcup.data_10_percent, and no KDDTrain\+"):
        reproduce([str(tmp_path)], TREE, told=lambda _: None)


@needs_shared
@pytest.mark.slow
def test_nsl_kdd_s_test_file_is_harder_than_random_rows() -> None:
    found = reproduce([str(SHARED / "data" / "nsl-kdd")], TREE, told=lambda _: None)
    accuracy = {each.model: each.ours for each in found.results if each.metric == "accuracy"}
    assert 0.6 < accuracy["decision-tree"] < 0.9


@needs_shared
@pytest.mark.slow
def test_kdd99_comes_out_as_published() -> None:
    found = reproduce([str(SHARED / "data" / "kdd99")], TREE, told=lambda _: None)
    for each in found.results:
        if each.published is not None:
            assert each.ours == pytest.approx(each.published, abs=0.005), each
