from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from capture.files import read_capture
from flows.compact_files import write_compact
from flows.derived import DERIVED
from flows.parquet_files import ParquetFlowReader, read_parquet, write_parquet
from flows.table import FlowTable, concat_tables
from helpers.flows import assert_same_table, flow_table

CAPTURE = Path(__file__).resolve().parents[1] / "reference" / "05_bulk.pcap"
ROUNDING = float(np.finfo(np.float32).eps) / 2


@pytest.fixture(scope="module")
def metered() -> FlowTable:
    return concat_tables([replace(table, interface="") for table in read_capture(CAPTURE)])


def same(found: FlowTable, expected: FlowTable) -> None:
    np.testing.assert_allclose(found.features, expected.features, rtol=ROUNDING, atol=0, equal_nan=True)
    assert_same_table(replace(found, features=expected.features), expected)


def test_flows_come_back_within_float32(tmp_path: Path, metered: FlowTable) -> None:
    write_compact(metered, tmp_path / "small.parquet")
    same(read_parquet(tmp_path / "small.parquet"), metered)
    with ParquetFlowReader(tmp_path / "small.parquet") as reader:
        same(concat_tables(list(reader.tables())), metered)


def test_what_follows_from_others_is_not_held(tmp_path: Path, metered: FlowTable) -> None:
    write_compact(metered, tmp_path / "small.parquet")
    write_parquet(metered, tmp_path / "large.parquet")
    missing = set(metered.feature_names) - set(pq.read_schema(tmp_path / "small.parquet").names)
    assert missing == set(DERIVED)
    assert (tmp_path / "small.parquet").stat().st_size < (tmp_path / "large.parquet").stat().st_size


def test_what_does_not_follow_is_held(tmp_path: Path) -> None:
    odd = flow_table(
        3, features={"flow_pkts_s": np.array([1.5, np.nan, 4e9]), "pkt_size_avg": np.full(3, -7.0)}
    )
    write_compact(odd, tmp_path / "odd.parquet")
    assert {"flow_pkts_s", "pkt_size_avg"} <= set(pq.read_schema(tmp_path / "odd.parquet").names)
    same(read_parquet(tmp_path / "odd.parquet"), odd)


def test_whole_numbers_and_what_is_unknown_stay_exact(tmp_path: Path) -> None:
    values = np.array([0, 2**31 - 1, 16_777_217.0, np.nan])
    extras = {
        "label": np.array(["Benign", None, "Bot", None], object),
        "young_rst": np.array([True, False] * 2),
    }
    table = flow_table(
        4, features={"flow_iat_max": values, "idle_max": np.array([np.inf, 1, 2, 3])}, extras=extras
    )
    write_compact(table, tmp_path / "f.parquet")
    found = read_parquet(tmp_path / "f.parquet")
    np.testing.assert_array_equal(found.column("flow_iat_max"), values)
    np.testing.assert_array_equal(found.column("idle_max"), table.column("idle_max"))
    assert found.extras["label"].tolist() == ["Benign", None, "Bot", None]
    assert found.extras["young_rst"].tolist() == [True, False, True, False]


def test_a_table_without_flows_comes_back(tmp_path: Path) -> None:
    write_compact(flow_table(0), tmp_path / "none.parquet")
    assert len(read_parquet(tmp_path / "none.parquet")) == 0
