from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.csv_files import read_csv, write_csv
from flows.hdf5_files import read_hdf5
from flows.kdd99 import FEATURES
from flows.parquet_files import read_parquet, write_parquet
from flows.schema import COMMON_NAMES, IMPROVED_NAMES
from flows.table import FlowTable
from helpers.flows import assert_same_table, flow_table
from training.clean_tables import check_format, read_clean_table, write_flows
from training.sources.read import ReadOptions, read_training_data


def saved(path: Path, labels: list[str], durations: list[float], **columns: object) -> Path:
    table = flow_table(
        len(labels),
        features={"flow_duration": np.array(durations)},
        extras={"label": np.array(labels, object)},
        **columns,
    )
    write_parquet(table, path)
    return path


def test_cleans_as_training_data_are_and_keeps_the_rest(tmp_path: Path) -> None:
    one = saved(tmp_path / "1.parquet", ["BENIGN", "", "Bot"], [1, 2, 3], start_us=np.array([30, 20, 10]))
    other = saved(tmp_path / "2.parquet", ["Botnet", "PortScan - Attempted"], [3, 4])
    clean = read_clean_table([one, other])
    table = clean.table
    assert table.extras["label"].tolist() == ["Bot", "Benign"]
    assert table.extras["source"].tolist() == [str(one)] * 2
    assert table.feature_names == IMPROVED_NAMES
    assert table.source(0) == "10.0.0.1"
    assert (clean.rows_read, clean.dropped) == (5, {"unlabelled": 1, "attempted": 1, "duplicate": 1})
    flows, training = clean.flows(), read_training_data([one, other])
    assert flows.codes.tolist() == training.codes.tolist() == clean.codes.tolist()
    for name in ("start_us", "pair", "dst_port", "rows_read", "dropped"):
        assert np.array_equal(getattr(flows, name), getattr(training, name)), name
    assert [flows.sources[at] for at in flows.source] == [training.sources[at] for at in training.source]


def test_rows_repeat_an_earlier_one_in_what_models_read(tmp_path: Path) -> None:
    table = flow_table(
        2, features={"icmp_code": np.array([1.0, 2.0])}, extras={"label": np.array(["Bot", "Bot"])}
    )
    write_parquet(table, tmp_path / "f.parquet")
    assert read_clean_table([tmp_path / "f.parquet"]).dropped == {"duplicate": 1}
    options = ReadOptions(names=IMPROVED_NAMES)
    assert len(read_clean_table([tmp_path / "f.parquet"], options=options).table) == 2


def test_files_of_several_sets_of_features_have_what_all_have(tmp_path: Path) -> None:
    one = saved(tmp_path / "1.parquet", ["Bot"], [1])
    other = saved(tmp_path / "2.parquet", ["Bot"], [2], names=COMMON_NAMES)
    assert read_clean_table([one, other]).table.feature_names == COMMON_NAMES
    third = saved(tmp_path / "3.parquet", ["Bot"], [2], names=COMMON_NAMES, dialect="cic-v4")
    with pytest.raises(ValueError, match=r"3.parquet: its flows were measured in dialect cic-v4"):
        read_clean_table([one, third])
    with pytest.raises(ValueError, match=r"4.parquet: no flow has a label"):
        read_clean_table([saved(tmp_path / "4.parquet", [""], [1])])


@pytest.mark.parametrize("name", ["f.parquet", "f.csv", "f.csv.gz", "f.h5"])
def test_what_is_written_is_read_back_as_the_same_training_data(tmp_path: Path, name: str) -> None:
    source = saved(tmp_path / "source.parquet", ["BENIGN", "Bot"], [1, 2])
    clean = read_clean_table([source])
    write_flows(clean.table, tmp_path / name)
    read, before = read_training_data([tmp_path / name]), read_training_data([source])
    np.testing.assert_array_equal(read.features, before.features)
    assert read.codes.tolist() == before.codes.tolist()
    assert read.start_us.tolist() == before.start_us.tolist()
    assert read.dialect == before.dialect
    if name == "f.parquet":
        assert_same_table(read_parquet(tmp_path / name), clean.table)
    if name == "f.csv":
        assert read_csv(tmp_path / name).source(0) == "10.0.0.1"
    if name == "f.h5":
        assert read_hdf5(tmp_path / name).dst_port.tolist() == [443, 443]


def test_formats_are_told_by_the_ending(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"f.txt: the output's name must end in .parquet, .csv"):
        check_format(tmp_path / "f.txt")
    table = FlowTable.from_features(np.ones((1, len(FEATURES))), FEATURES, "kdd99")
    with pytest.raises(ValueError, match=r"f.csv: connections of KDD99 are written as .parquet only"):
        write_flows(table, tmp_path / "f.csv")
    write_csv(flow_table(1), tmp_path / "f.csv")
    write_flows(table, tmp_path / "f.parquet")
    assert read_parquet(tmp_path / "f.parquet").feature_names == FEATURES
