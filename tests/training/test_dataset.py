from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.parquet_files import read_parquet, write_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.flows import SHARED, needs_shared
from training.dataset import UNKNOWN, read_all_labelled, read_labelled, true_codes


def written(path: Path, features: np.ndarray, labels: list[str], starts: list[int]) -> Path:
    table = FlowTable.from_features(
        features,
        COMMON_NAMES,
        "improved",
        start_us=np.array(starts),
        end_us=np.array(starts),
        extras={"label": np.array(labels, object)},
    )
    write_parquet(table, path)
    return path


def test_sorts_by_start_and_drops_what_repeats(tmp_path: Path) -> None:
    features = np.repeat(np.array([[3.0], [1.0], [3.0], [3.0], [2.0]]), 76, axis=1)
    labels = ["DoS Hulk", "BENIGN", "DoS Hulk", "BENIGN", "Botnet"]
    flows = read_labelled(written(tmp_path / "f.parquet", features, labels, [50, 40, 30, 20, 10]))
    assert flows.features[:, 0].tolist() == [2.0, 3.0, 3.0, 1.0]
    assert flows.codes.tolist() == [1, 0, 5, 0]
    assert (flows.rows_read, flows.repeated, len(flows)) == (5, 1, 4)
    assert (flows.names, flows.dialect) == (COMMON_NAMES, "improved")


def test_names_a_label_that_is_not_in_the_table(tmp_path: Path) -> None:
    path = written(tmp_path / "f.parquet", np.ones((1, 76)), ["Gremlins"], [1])
    with pytest.raises(ValueError, match="unknown label 'Gremlins'"):
        read_labelled(path)


def test_wants_labels(tmp_path: Path) -> None:
    write_parquet(FlowTable.from_features(np.ones((1, 76)), COMMON_NAMES, "improved"), tmp_path / "f.parquet")
    with pytest.raises(ValueError, match=r"f.parquet: no flow has a label"):
        read_labelled(tmp_path / "f.parquet")


@needs_shared
def test_reads_the_corrected_cic_ids2017() -> None:
    flows = read_labelled(SHARED / "data" / "cic-ids2017-improved" / "flows.parquet")
    assert (flows.rows_read, flows.repeated) == (56_277, 13_384)
    counts = dict(zip(*np.unique(flows.codes, return_counts=True), strict=True))
    assert (counts[0], counts[5], counts[13], counts[16]) == (7458, 7415, 13, 11)


def test_classes_of_flows_that_are_labelled_in_part(tmp_path: Path) -> None:
    path = written(
        tmp_path / "f.parquet", np.ones((4, 76)), ["BENIGN", "", "DoS Hulk", "No Label"], [1, 2, 3, 4]
    )
    assert true_codes(read_parquet(path), path).tolist() == [0, UNKNOWN, 5, UNKNOWN]
    with pytest.raises(ValueError, match=r"f.parquet: 2 flows have no label"):
        read_labelled(path)


def test_several_files_are_one_set(tmp_path: Path) -> None:
    one = written(tmp_path / "1.parquet", np.ones((2, 76)), ["BENIGN", "DoS Hulk"], [1, 2])
    other = written(tmp_path / "2.parquet", np.full((1, 76), 2.0), ["Botnet"], [0])
    flows = read_all_labelled([one, other])
    assert flows.codes.tolist() == [0, 5, 1]
    assert flows.features[:, 0].tolist() == [1.0, 1.0, 2.0]
    assert (flows.rows_read, flows.repeated) == (3, 0)


def test_files_of_two_dialects_are_not_one_set(tmp_path: Path) -> None:
    one = written(tmp_path / "1.parquet", np.ones((1, 76)), ["BENIGN"], [1])
    table = FlowTable.from_features(
        np.ones((1, 76)), COMMON_NAMES, "cic-v4", extras={"label": np.array(["BENIGN"], object)}
    )
    write_parquet(table, tmp_path / "2.parquet")
    with pytest.raises(ValueError, match=r"2.parquet: its flows were measured in dialect cic-v4"):
        read_all_labelled([one, tmp_path / "2.parquet"])
