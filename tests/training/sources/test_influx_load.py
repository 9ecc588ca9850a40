from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flows.csv_files import write_csv
from flows.dialects import DIALECTS
from flows.kdd99 import FEATURES
from flows.parquet_files import read_parquet, write_parquet
from flows.schema import COMMON_NAMES
from flows.table import UNKNOWN_TIME, FlowTable
from helpers.flows import flow_table
from helpers.influxdb import ADMIN, Influx, influx_server
from training.sources.influx import InfluxLocation, write_measurement
from training.sources.influx_load import Loaded, distinct_times, load_flows, load_source
from training.sources.read import ReadOptions, read_training_data
from training.sources.remote import Fetching

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


def loaded(table: FlowTable, location: InfluxLocation, name: str = "flows.parquet") -> Loaded:
    return load_flows(table, name, location, lambda points: None)


def read_back(location: InfluxLocation, folder: Path) -> FlowTable:
    return read_parquet(write_measurement(location, folder, lambda points: None))


def test_as_many_points_as_rows_although_all_began_in_one_second(
    influx: Influx, location: InfluxLocation, tmp_path: Path
) -> None:
    table = labelled(12_000, start_us=np.full(12_000, SECOND))
    assert loaded(table, location).points == 12_000
    assert influx.query('SELECT COUNT("row") FROM traffic', location.database)[0][1] == 12_000
    back = read_back(location, tmp_path)
    assert len(back) == 12_000
    assert (back.start_us == SECOND).all()


def test_flows_come_back_as_they_went(location: InfluxLocation, tmp_path: Path) -> None:
    table = labelled(20, dialect="cic-v4", names=COMMON_NAMES, features={"flow_byts_s": np.arange(20) / 7})
    loaded(table, location)
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
    assert loaded(table, location).left_out == 2
    rates = read_back(location, tmp_path).column("flow_byts_s")
    np.testing.assert_array_equal(rates, [np.nan, 2.5, np.nan])


def test_the_same_file_written_twice_is_there_once(location: InfluxLocation, tmp_path: Path) -> None:
    table = labelled(50)
    sources = {loaded(table, location).source for _ in range(2)}
    assert len(sources) == 1
    assert len(read_back(location, tmp_path)) == 50


def test_another_file_of_the_same_seconds_overwrites_nothing(
    location: InfluxLocation, tmp_path: Path
) -> None:
    loaded(labelled(50), location)
    loaded(labelled(50, features={"tot_fwd_pkts": 9}), location)
    assert len(read_back(location, tmp_path)) == 100


def test_flows_of_unknown_start_come_back_so(location: InfluxLocation, tmp_path: Path) -> None:
    unknown = np.full(4, UNKNOWN_TIME)
    loaded(labelled(4, start_us=unknown, end_us=unknown), location)
    assert read_back(location, tmp_path).start_us.tolist() == unknown.tolist()


def test_dialects_in_one_measurement_are_told_apart_by_their_tag(
    influx: Influx, location: InfluxLocation, tmp_path: Path
) -> None:
    for dialect in DIALECTS[:2]:
        loaded(labelled(5, dialect=dialect), location)
    with pytest.raises(ValueError, match=r"improved and improved-2024: add \?dialect="):
        read_back(location, tmp_path)
    chosen = f"influxdb://{influx.address}/{location.database}/traffic?dialect=improved-2024"
    assert read_back(InfluxLocation.parse(chosen), tmp_path).dialect == "improved-2024"


def test_names_and_labels_of_any_characters(influx: Influx, tmp_path: Path) -> None:
    address = f"influxdb://{influx.address}/a%20%22b%22/of%20a,b"
    odd = np.array(['a "quoted" word', "back\\slash", "two\nlines", "ünï, = code"], object)
    table = flow_table(4, extras={"label": odd})
    source = loaded(table, InfluxLocation.parse(address), "a, b=c.parquet").source
    assert source.startswith("a, b=c.parquet@")
    back = read_back(InfluxLocation.parse(f"{address}?source={quote(source)}"), tmp_path)
    assert back.extras["label"].tolist() == odd.tolist()


def test_a_login_is_sent(tmp_path: Path) -> None:
    with influx_server(tmp_path, auth=True) as server:
        user, password = ADMIN[0], ADMIN[1].replace("@", "%40").replace("/", "%2F")
        location = InfluxLocation.parse(f"influxdb://{user}:{password}@{server.address}/own/traffic")
        assert loaded(labelled(3), location).points == 3
        assert len(read_back(location, tmp_path)) == 3
        stranger = InfluxLocation.parse(f"influxdb://{server.address}/own/traffic")
        with pytest.raises(PermissionError, match="user:password@"):
            loaded(labelled(3), stranger)


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


def test_every_file_of_a_folder_is_written(influx: Influx, location: InfluxLocation, tmp_path: Path) -> None:
    folder = tmp_path / "days"
    folder.mkdir()
    write_csv(labelled(6), folder / "monday.csv")
    write_parquet(labelled(9), folder / "tuesday.parquet")
    told: list[tuple[str, int]] = []
    files = dict(load_source(folder, location, ReadOptions(), lambda *said: told.append(said)))
    assert {name: file.points for name, file in files.items()} == dict(told)
    assert sorted(file.points for file in files.values()) == [6, 9]
    flows = read_training_data(
        [f"influxdb://{influx.address}/{location.database}/traffic"], options=_here(tmp_path)
    )
    assert flows.rows_read == 15


def test_connections_of_kdd99_come_back(influx: Influx, location: InfluxLocation, tmp_path: Path) -> None:
    rows = "".join(
        f"0,tcp,http,SF,{181 + row}{',0' * 36},{('normal.', 'smurf.')[row % 2]}\n" for row in range(30)
    )
    (tmp_path / "kddcup.data").write_text(rows)
    ((_, file),) = load_source(tmp_path / "kddcup.data", location, ReadOptions(), lambda *said: None)
    assert file.points == 30
    here, there = (
        read_training_data([place], options=_here(tmp_path))
        for place in (
            str(tmp_path / "kddcup.data"),
            f"influxdb://{influx.address}/{location.database}/traffic",
        )
    )
    assert (there.dialect, there.names) == ("kdd99", FEATURES)
    np.testing.assert_array_equal(np.sort(there.features, axis=0), np.sort(here.features, axis=0))
    assert sorted(there.codes.tolist()) == sorted(here.codes.tolist())


def _here(folder: Path) -> ReadOptions:
    return ReadOptions(fetching=Fetching(folder / "cache"))
