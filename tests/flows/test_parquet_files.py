from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.csv_files import write_csv
from flows.parquet_files import (
    ROWS_AT_ONCE,
    ParquetFlowReader,
    ParquetFlowWriter,
    parquet_pieces,
    read_parquet,
    write_parquet,
)
from flows.parquet_rows import METADATA_KEY
from flows.schema import COMMON_NAMES, IMPROVED_NAMES
from flows.table import UNKNOWN_TIME, FlowTable, concat_tables
from helpers.flows import SHARED, assert_same_table, flow_table, flow_tables, needs_shared


@settings(deadline=None)
@given(flow_tables())
def test_a_table_comes_back_entirely(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("parquet") / "flows.parquet"
    for name, values in table.extras.items():
        if len({type(value) for value in values if value is not None}) > 1:  # one type a column
            table.extras[name] = np.array([None if value is None else str(value) for value in values], object)
    write_parquet(table, path)
    assert_same_table(read_parquet(path), table)


def test_tables_follow_each_other(tmp_path):
    tables = [flow_table(n, extras={"label": np.array(["Bot"] * n, object)}) for n in (3, 0, 4, 1)]
    with ParquetFlowWriter(tmp_path / "flows.parquet", rows_a_group=5) as writer:
        for table in tables:
            writer.write(table)
    assert_same_table(read_parquet(tmp_path / "flows.parquet"), concat_tables(tables))
    assert pq.ParquetFile(tmp_path / "flows.parquet").num_row_groups == 2


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (flow_table(names=COMMON_NAMES), "one feature names"),
        (flow_table(dialect="cic-v4"), "one dialect"),
        (flow_table(sensor="b"), "one sensor"),
        (flow_table(interface="eth1"), "one interface"),
        (flow_table(extras={"label": np.array(["Bot"] * 3, object)}), "same extras, not of some only: label"),
    ],
)
def test_a_file_holds_tables_of_one_kind(tmp_path, other, message):
    with ParquetFlowWriter(tmp_path / "flows.parquet") as writer:
        writer.write(flow_table())
        with pytest.raises(ValueError, match=message):
            writer.write(other)
    assert len(read_parquet(tmp_path / "flows.parquet")) == 3


def test_a_file_without_flows_is_readable(tmp_path):
    with ParquetFlowWriter(tmp_path / "flows.parquet"):
        pass
    table = read_parquet(tmp_path / "flows.parquet")
    assert (len(table), table.feature_names) == (0, IMPROVED_NAMES)


def test_pandas_reads_what_a_person_expects(tmp_path):
    write_parquet(flow_table(src_addr=np.zeros((3, 16), np.uint8)), tmp_path / "flows.parquet")
    frame = pd.read_parquet(tmp_path / "flows.parquet")
    assert frame["dst_ip"].tolist() == ["10.0.0.2"] * 3
    assert frame["src_ip"].isna().all()
    assert frame["start"][0] == pd.Timestamp("2017-07-07 13:00:00.401", tz="UTC")
    assert frame["end_reason"].tolist() == ["fin"] * 3
    assert frame["flow_duration"].tolist() == [406_000.0] * 3


def test_what_is_unknown_is_null(tmp_path):
    unknown = FlowTable.from_features(flow_table().features, IMPROVED_NAMES, "improved")
    write_parquet(unknown, tmp_path / "flows.parquet")
    frame = pd.read_parquet(tmp_path / "flows.parquet")
    names = ["src_ip", "dst_ip", "src_port", "dst_port", "protocol", "start", "end"]
    assert frame[names].isna().all(axis=None)


def test_extras_keep_the_first_table_s_order_and_type(tmp_path):
    first = {"id": np.array([0.5]), "label": np.array(["Bot"], object)}
    second = {"label": np.array(["DDoS"], object), "id": np.array([2])}
    with ParquetFlowWriter(tmp_path / "flows.parquet") as writer:
        writer.write(flow_table(1, extras=first))
        writer.write(flow_table(1, extras=second))
        with pytest.raises(ValueError, match=r"another type than in the first table: .*'x'"):
            writer.write(flow_table(1, extras={"id": np.array(["x"], object), "label": second["label"]}))
    extras = read_parquet(tmp_path / "flows.parquet").extras
    assert {name: values.tolist() for name, values in extras.items()} == {
        "id": [0.5, 2.0],
        "label": ["Bot", "DDoS"],
    }


def test_another_version_s_schema_is_refused(tmp_path):
    path = tmp_path / "flows.parquet"
    write_parquet(flow_table(), path)
    rows = pq.read_table(path)
    for old, new in ((b"idle_min", b"idle_mix"), (flow_table().schema_id.encode(), b"0" * 16)):
        described = rows.schema.metadata[METADATA_KEY].replace(old, new)
        pq.write_table(rows.replace_schema_metadata({METADATA_KEY: described}), path)
        with pytest.raises(ValueError, match=r"flows\.parquet: another version's feature schema"):
            read_parquet(path)


@pytest.mark.parametrize("header", ["improved", "cic-2017", "cic-2018", "cic-v4", "snake"])
def test_foreign_parquet_with_any_header(tmp_path, header):
    write_csv(flow_table(), tmp_path / "flows.csv", header)
    pd.read_csv(tmp_path / "flows.csv").to_parquet(tmp_path / "flows.parquet")
    table = read_parquet(tmp_path / "flows.parquet")
    assert table.dialect == ("improved" if header == "snake" else header)
    np.testing.assert_array_equal(table.select(COMMON_NAMES), flow_table().select(COMMON_NAMES))


def test_foreign_parquet_with_real_times_and_categories(tmp_path):
    write_csv(flow_table(extras={"label": np.array(["Bot", "DDoS", "Bot"], object)}), tmp_path / "flows.csv")
    frame = pd.read_csv(tmp_path / "flows.csv", parse_dates=["Timestamp"])
    frame["Label"] = frame["Label"].astype("category")
    frame["Src IP"] = frame["Src IP"].astype("category")
    frame.to_parquet(tmp_path / "flows.parquet")
    table = read_parquet(tmp_path / "flows.parquet")
    assert table.start_us.tolist() == flow_table().start_us.tolist()
    assert table.extras["label"].tolist() == ["Bot", "DDoS", "Bot"]
    assert table.source(2) == "10.0.0.1"


def test_what_is_no_parquet_of_flows_is_refused(tmp_path):
    path = tmp_path / "flows.parquet"
    path.write_bytes(b"PAR1 is not enough")
    with pytest.raises(ValueError, match=r"flows\.parquet: not a Parquet file"):
        read_parquet(path)
    pd.DataFrame({"a": [1]}).to_parquet(path)
    with pytest.raises(ValueError, match=r"flows\.parquet: no header of flows"):
        read_parquet(path)
    frame = pd.DataFrame({name: ["x"] for name in COMMON_NAMES})
    frame.to_parquet(path)
    with pytest.raises(ValueError, match=r"flows\.parquet: column flow_duration is not numeric"):
        read_parquet(path)
    with pytest.raises(FileNotFoundError):
        read_parquet(tmp_path / "none.parquet")


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "flows.parquet"
    write_parquet(flow_table(1000), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes(len(whole) - 5000) + whole[-4900:])
    with pytest.raises(ValueError, match=r"flows\.parquet: "):
        read_parquet(path)


@needs_shared
def test_the_improved_set():
    table = read_parquet(SHARED / "data" / "cic-ids2017-improved" / "flows.parquet")
    assert (len(table), table.dialect, table.feature_names) == (56_277, "improved", IMPROVED_NAMES)
    assert np.isfinite(table.features).all()
    assert (table.end_us - table.start_us == table.column("flow_duration")).all()
    assert table.extras["label"].tolist().count("BENIGN") == 7492
    assert (table.src_addr.any(axis=1) & table.dst_addr.any(axis=1)).all()


@needs_shared
def test_the_tool_s_flows_of_the_captures():
    table = read_parquet(SHARED / "reference" / "improved-captures.parquet")
    assert (len(table), table.dialect) == (33_683, "improved")
    assert "label" not in table.extras
    assert "capture" in table.extras
    assert np.isnan(table.column("flow_iat_mean")).any()


def test_a_reader_gives_a_file_in_pieces_that_make_the_whole(tmp_path):
    path = tmp_path / "flows.parquet"
    table = flow_table(2 * ROWS_AT_ONCE + 7)
    write_parquet(table, path)
    with ParquetFlowReader(path) as reader:
        assert reader.rows == len(table)
        pieces = list(reader.tables())
        assert_same_table(reader.empty(), table.take(slice(0)))
        assert list(reader.tables(since_us=table.end_us[-1] + 1)) == []
    assert max(map(len, pieces)) <= ROWS_AT_ONCE
    assert_same_table(concat_tables(pieces), table)


@settings(deadline=None)
@given(
    table=flow_tables(),
    since=st.integers(-(2**63), 2**63 - 1),
    until=st.integers(-(2**63), 2**63 - 1),
)
def test_a_reader_gives_the_flows_that_ended_in_a_time(tmp_path_factory, table, since, until):
    path = tmp_path_factory.mktemp("parquet") / "flows.parquet"
    table = replace(table, extras={})
    write_parquet(table, path)
    with ParquetFlowReader(path) as reader:
        chosen = list(reader.tables(since_us=since, until_us=until))
    wanted = (table.end_us != UNKNOWN_TIME) & (table.end_us >= since) & (table.end_us < until)
    assert sum(map(len, chosen)) == wanted.sum()
    for piece in chosen:
        assert_same_table(piece, table.take(wanted))


def test_an_open_file_may_be_deleted(tmp_path):
    path = tmp_path / "flows.parquet"
    write_parquet(flow_table(5), path)
    with ParquetFlowReader(path) as reader:
        path.unlink()
        assert sum(map(len, reader.tables())) == 5


def test_a_reader_wants_a_file_of_ours(tmp_path):
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "foreign.parquet")
    with pytest.raises(ValueError, match=r"foreign\.parquet: not a Parquet file that this program wrote"):
        ParquetFlowReader(tmp_path / "foreign.parquet")


def test_pieces_are_the_whole_file(tmp_path):
    own, other = tmp_path / "own.parquet", tmp_path / "other.parquet"
    rows = ROWS_AT_ONCE + 5
    features = np.random.default_rng(0).normal(size=(rows, len(COMMON_NAMES)))
    write_parquet(FlowTable.from_features(features, COMMON_NAMES, "improved"), own)
    pq.write_table(pa.table({name: features[:, at] for at, name in enumerate(COMMON_NAMES)}), other)
    for path in (own, other):
        pieces = list(parquet_pieces(path))
        assert [len(piece) for piece in pieces] == [ROWS_AT_ONCE, 5]
        whole = read_parquet(path)
        assert_same_table(replace(concat_tables(pieces), flow_uid=whole.flow_uid), whole)
