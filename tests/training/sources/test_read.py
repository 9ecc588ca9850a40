from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from flows.csv_files import write_csv
from flows.parquet_files import write_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.flows import SHARED, flow_table, needs_shared
from training.sources.read import ReadOptions, read_training_data


def some(labels: list[str], *, durations: list[float], **columns: object) -> FlowTable:
    return flow_table(
        len(labels),
        features={"flow_duration": np.array(durations)},
        extras={"label": np.array(labels, object)},
        **columns,
    )


def test_several_files_are_one_set_in_the_order_of_time(tmp_path: Path) -> None:
    one, other = tmp_path / "1.parquet", tmp_path / "2.csv"
    write_parquet(some(["BENIGN", "DoS Hulk"], durations=[1, 2], start_us=np.array([10, 20])), one)
    write_csv(some(["Botnet", "DoS Hulk"], durations=[3, 2], start_us=np.array([0, 30])), other)
    flows = read_training_data([one, str(other)])
    assert flows.codes.tolist() == [1, 0, 5]
    assert flows.features[:, 0].tolist() == [3.0, 1.0, 2.0]
    assert [flows.sources[at] for at in flows.source] == [str(other), str(one), str(one)]
    assert (flows.rows_read, flows.dropped) == (4, {"duplicate": 1})
    assert len(read_training_data([one, other], options=ReadOptions(keep_duplicates=True))) == 4


def test_a_folder_is_all_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    write_parquet(some(["BENIGN"], durations=[1]), tmp_path / "1.parquet")
    write_csv(some(["Botnet"], durations=[2]), tmp_path / "day" / "2.csv.gz")
    (tmp_path / "read-me.txt").write_text("no flows")
    assert sorted(read_training_data([tmp_path]).codes.tolist()) == [0, 1]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no file of flows"):
        read_training_data([tmp_path / "empty"])


def test_files_of_two_dialects_are_not_one_set(tmp_path: Path) -> None:
    write_parquet(some(["BENIGN"], durations=[1]), tmp_path / "1.parquet")
    write_parquet(
        flow_table(1, names=COMMON_NAMES, dialect="cic-v4", extras={"label": np.array(["BENIGN"])}),
        tmp_path / "2.parquet",
    )
    with pytest.raises(ValueError, match=r"2.parquet: its flows were measured in dialect cic-v4"):
        read_training_data([tmp_path / "1.parquet", tmp_path / "2.parquet"])


def test_wants_labels(tmp_path: Path) -> None:
    write_parquet(flow_table(2), tmp_path / "f.parquet")
    with pytest.raises(ValueError, match=r"f.parquet: no flow has a label"):
        read_training_data([tmp_path / "f.parquet"])


def test_reads_so_many_rows_of_each_file(tmp_path: Path) -> None:
    write_parquet(some(["BENIGN"] * 5, durations=[1, 2, 3, 4, 5]), tmp_path / "f.parquet")
    assert len(read_training_data([tmp_path / "f.parquet"], options=ReadOptions(nrows=2))) == 2


@needs_shared
def test_reads_the_corrected_cic_ids2017() -> None:
    flows = read_training_data([SHARED / "data" / "cic-ids2017-improved" / "flows.parquet"])
    assert (flows.rows_read, flows.dropped) == (56_277, {"duplicate": 13_384})
    counts = dict(zip(*np.unique(flows.codes, return_counts=True), strict=True))
    assert (counts[0], counts[5], counts[13], counts[16]) == (7458, 7415, 13, 11)
    assert (np.diff(flows.start_us) >= 0).all()
    assert len(np.unique(flows.pair)) > 100
