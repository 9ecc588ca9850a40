from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flows.parquet_files import read_parquet
from flows.schema import COMMON
from helpers.flows import EXAMPLE
from helpers.influxdb import Influx, influx_server
from helpers.tools import free_port
from training.sources.influx import InfluxLocation, write_measurement


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with influx_server(tmp_path_factory.mktemp("influx")) as server:
        yield server


def test_a_location_is_read() -> None:
    location = InfluxLocation.parse("influxdb://a%40b:c%2Fd@db.example:8089/intrusion/traffic?iface=ge0")
    assert (location.url, location.user, location.password) == ("http://db.example:8089", "a@b", "c/d")
    assert (location.database, location.measurement, location.tags) == (
        "intrusion",
        "traffic",
        {"iface": "ge0"},
    )


def test_a_port_and_tls_may_be_left_to_the_scheme() -> None:
    assert InfluxLocation.parse("influxdb://h/d/m").url == "http://h:8086"
    assert InfluxLocation.parse("influxdbs://[::1]:1/d/m").url == "https://[::1]:1"


@pytest.mark.parametrize(
    "text", ["influxdb://h/d", "influxdb:///d/m", "influxdb://h/d/m/x", "influxdb://u:secret@h/d"]
)
def test_what_is_no_location_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(ValueError, match="write influxdb://host:8086/database/measurement") as refused:
        InfluxLocation.parse(text)
    assert "secret" not in str(refused.value)


def test_what_telegraf_writes_of_a_csv_file_of_flows_is_read(influx: Influx, tmp_path: Path) -> None:
    influx.query("CREATE DATABASE flows")
    fields = ",".join(f"{_escaped(each.cic_v4)}={EXAMPLE[each.name]}" for each in COMMON)
    lines = [
        f'traffic,iface=ge0 {fields},Label="BENIGN" {1_499_432_400_000_000_000 + row}' for row in range(3)
    ]
    influx.write("\n".join(lines), "flows")
    path = tmp_path / "flows.parquet"
    told: list[int] = []
    assert write_measurement(_location(influx, "flows"), path, told.append) == 3
    table = read_parquet(path)
    assert (table.dialect, told) == ("cic-v4", [3])
    assert table.start_us.tolist() == [1_499_432_400_000_000] * 3
    assert (table.column("flow_duration") == EXAMPLE["flow_duration"]).all()
    assert table.extras["label"].tolist() == ["BENIGN"] * 3


def test_other_columns_stay_as_they_are_without_the_time(influx: Influx, tmp_path: Path) -> None:
    influx.query("CREATE DATABASE kdd")
    influx.write('traffic,iface=ge0 duration=0,flag="SF",target="normal." 1617656527000000000', "kdd")
    path = tmp_path / "kdd.parquet"
    write_measurement(_location(influx, "kdd"), path, lambda rows: None)
    assert pq.read_table(path).to_pylist() == [
        {"duration": 0, "flag": "SF", "iface": "ge0", "target": "normal."}
    ]


def test_more_points_than_one_answer_holds_are_read(influx: Influx, tmp_path: Path) -> None:
    influx.query("CREATE DATABASE many")
    influx.write("\n".join(f"traffic n={row} {row + 1}" for row in range(25_000)), "many")
    path = tmp_path / "many.parquet"
    assert write_measurement(_location(influx, "many"), path, lambda rows: None) == 25_000
    assert pq.read_table(path)["n"].to_pylist() == list(range(25_000))


def test_what_is_not_there_is_said(influx: Influx, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="database not found: nowhere"):
        write_measurement(_location(influx, "nowhere"), tmp_path / "a.parquet", lambda rows: None)
    influx.query("CREATE DATABASE empty")
    with pytest.raises(ValueError, match="empty/traffic: no point is there"):
        write_measurement(_location(influx, "empty"), tmp_path / "a.parquet", lambda rows: None)
    nobody = InfluxLocation.parse(f"influxdb://u:secret@127.0.0.1:{free_port()}/d/m")
    with pytest.raises(ConnectionError, match="is influxd there") as refused:
        write_measurement(nobody, tmp_path / "a.parquet", lambda rows: None)
    assert "secret" not in str(refused.value)


def _location(influx: Influx, database: str) -> InfluxLocation:
    return InfluxLocation.parse(f"influxdb://{influx.address}/{database}/traffic")


def _escaped(title: str) -> str:
    return title.replace(" ", "\\ ").replace(",", "\\,")
