from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flows.dialects import DIALECTS
from flows.parquet_files import read_parquet, write_parquet
from flows.schema import COMMON_NAMES
from flows.table import UNKNOWN_TIME, FlowTable
from helpers.flows import flow_table
from helpers.influxdb import ADMIN, Influx, influx_server
from training.sources.influx import InfluxLocation, write_measurement
from training.sources.influx_load import Loaded, distinct_times, load_columns, load_flows

SECOND = 1_499_432_400_000_000
"""2017-07-07 13:00:00 UTC, in microseconds."""


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with influx_server(tmp_path_factory.mktemp("influx")) as server:
        yield server


@pytest.fixture
def location(influx: Influx, request: pytest.FixtureRequest) -> InfluxLocation:
    """A measurement that nobody wrote to, in a database of the test's own."""
    return InfluxLocation.parse(f"influxdb://{influx.address}/{request.node.name}/traffic")


def labelled(n: int, **columns: Any) -> FlowTable:
    texts = np.array(["BENIGN", "DoS Hulk", None], object)[np.arange(n) % 3]
    return flow_table(n, extras={"label": texts}, **columns)


def loaded(table: FlowTable, location: InfluxLocation, path: Path) -> Loaded:
    write_parquet(table, path)
    return load_flows(table, path, location, lambda written: None)


def read_back(location: InfluxLocation, folder: Path) -> FlowTable:
    path = folder / "read.parquet"
    rows = write_measurement(location, path, lambda read: None)
    table = read_parquet(path)
    assert len(table) == rows
    return table


def test_as_many_points_as_rows_although_all_began_in_one_second(
    influx: Influx, location: InfluxLocation, tmp_path: Path
) -> None:
    table = labelled(12_000, start_us=np.full(12_000, SECOND))
    assert loaded(table, location, tmp_path / "flows.parquet").points == 12_000
    assert influx.query('SELECT COUNT("row") FROM traffic', location.database)[0][1] == 12_000
    back = read_back(location, tmp_path)
    assert len(back) == 12_000
    assert (back.start_us == SECOND).all()


def test_flows_come_back_as_they_went(location: InfluxLocation, tmp_path: Path) -> None:
    table = labelled(20, dialect="cic-v4", names=COMMON_NAMES, features={"flow_byts_s": np.arange(20) / 7})
    loaded(table, location, tmp_path / "flows.parquet")
    back = read_back(location, tmp_path)
    assert (back.feature_names, back.dialect) == (table.feature_names, "cic-v4")
    for name in (
        "features",
        "src_addr",
        "dst_addr",
        "src_port",
        "dst_port",
        "protocol",
        "start_us",
        "end_us",
    ):
        np.testing.assert_array_equal(getattr(back, name), getattr(table, name), err_msg=name)
    assert back.extras["label"].tolist() == [text or "" for text in table.extras["label"]]


def test_infinity_is_left_out_and_counted(location: InfluxLocation, tmp_path: Path) -> None:
    table = labelled(3, features={"flow_byts_s": np.array([np.inf, 2.5, np.nan])})
    assert loaded(table, location, tmp_path / "flows.parquet").left_out == 2
    rates = read_back(location, tmp_path).column("flow_byts_s")
    np.testing.assert_array_equal(rates, [np.nan, 2.5, np.nan])


def test_the_same_file_written_twice_is_there_once(location: InfluxLocation, tmp_path: Path) -> None:
    table = labelled(50)
    sources = {loaded(table, location, tmp_path / "flows.parquet").source for _ in range(2)}
    assert len(sources) == 1
    assert len(read_back(location, tmp_path)) == 50


def test_another_file_of_the_same_seconds_overwrites_nothing(
    location: InfluxLocation, tmp_path: Path
) -> None:
    (tmp_path / "again").mkdir()
    loaded(labelled(50), location, tmp_path / "flows.parquet")
    loaded(labelled(50, features={"tot_fwd_pkts": 9}), location, tmp_path / "again" / "flows.parquet")
    assert len(read_back(location, tmp_path)) == 100


def test_flows_of_unknown_start_come_back_so(location: InfluxLocation, tmp_path: Path) -> None:
    unknown = np.full(4, UNKNOWN_TIME)
    loaded(labelled(4, start_us=unknown, end_us=unknown), location, tmp_path / "flows.parquet")
    assert read_back(location, tmp_path).start_us.tolist() == unknown.tolist()


def test_dialects_in_one_measurement_are_told_apart_by_their_tag(
    influx: Influx, location: InfluxLocation, tmp_path: Path
) -> None:
    for dialect in DIALECTS[:2]:
        loaded(labelled(5, dialect=dialect), location, tmp_path / f"{dialect}.parquet")
    with pytest.raises(ValueError, match=r"improved and improved-2024: add \?dialect="):
        read_back(location, tmp_path)
    chosen = f"influxdb://{influx.address}/{location.database}/traffic?dialect=improved-2024"
    assert read_back(InfluxLocation.parse(chosen), tmp_path).dialect == "improved-2024"


def test_any_columns_can_be_written(influx: Influx, location: InfluxLocation, tmp_path: Path) -> None:
    source = tmp_path / "a, b=c.csv"
    source.write_text("...")
    columns = {
        "src bytes": pa.array([1, 2, 3]),
        "said, so": pa.array(['a "quoted" word', "back\\slash", None]),
        "flag": pa.array([True, False, None]),
    }
    load_columns(columns, np.full(3, SECOND), source, location, lambda written: None)
    path = tmp_path / "read.parquet"
    write_measurement(location, path, lambda read: None)
    rows = pa.parquet.read_table(path).to_pylist()
    assert [row["src bytes"] for row in rows] == [1, 2, 3]
    assert [row["said, so"] for row in rows] == ['a "quoted" word', "back\\slash", None]
    assert [row["flag"] for row in rows] == [True, False, None]
    assert {row["source"].partition("@")[0] for row in rows} == {"a, b=c.csv"}


def test_a_login_is_sent(tmp_path: Path) -> None:
    with influx_server(tmp_path, auth=True) as server:
        user, password = ADMIN[0], ADMIN[1].replace("@", "%40").replace("/", "%2F")
        location = InfluxLocation.parse(f"influxdb://{user}:{password}@{server.address}/own/traffic")
        assert loaded(labelled(3), location, tmp_path / "flows.parquet").points == 3
        assert len(read_back(location, tmp_path)) == 3
        stranger = InfluxLocation.parse(f"influxdb://{server.address}/own/traffic")
        with pytest.raises(PermissionError, match="user:password@"):
            loaded(labelled(3), stranger, tmp_path / "flows.parquet")


@given(
    hnp.arrays(np.int64, st.integers(0, 40), elements=st.sampled_from([UNKNOWN_TIME, -5, 0, 7, 8, 9, SECOND]))
)
def test_times_are_distinct_and_keep_the_order_of_the_starts(start_us: Any) -> None:
    times = distinct_times(start_us)
    assert len({*times.tolist()}) == len(start_us)
    clipped = np.maximum(start_us, 0)
    assert (np.diff(clipped[np.argsort(times)]) >= 0).all()
    assert (times >= clipped * 1000).all()
    assert (times - clipped * 1000 < 1000 * len(start_us) + 1).all()
