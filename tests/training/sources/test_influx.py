from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.kdd99 import FEATURES
from flows.parquet_files import read_parquet
from flows.schema import COMMON
from helpers.flows import EXAMPLE
from helpers.influxdb import Influx, influx_server
from helpers.tools import free_port
from training.sources.influx import InfluxLocation, query, selection, write_measurement


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
    told: list[int] = []
    table = read_parquet(write_measurement(_location(influx, "flows"), tmp_path, told.append))
    assert (table.dialect, told) == ("cic-v4", [3])
    assert table.start_us.tolist() == [1_499_432_400_000_000] * 3
    assert (table.column("flow_duration") == EXAMPLE["flow_duration"]).all()
    assert table.extras["label"].tolist() == ["BENIGN"] * 3


def test_connections_of_kdd99_become_text_without_the_time(influx: Influx, tmp_path: Path) -> None:
    influx.query("CREATE DATABASE kdd")
    fields = dict.fromkeys(FEATURES, "0") | {"protocol_type": '"tcp"', "flag": '"SF"', "src_bytes": "181"}
    said = ",".join(f"{name}={value}" for name, value in fields.items())
    influx.write(f'traffic,iface=ge0 {said},target="smurf." 1617656527000000000', "kdd")
    path = write_measurement(_location(influx, "kdd"), tmp_path, lambda points: None)
    (row,) = csv.DictReader(path.read_text().splitlines())
    assert (row["protocol_type"], row["src_bytes"], row["target"]) == ("tcp", "181", "smurf.")
    assert "time" not in row


def test_more_points_than_one_answer_holds_are_read(influx: Influx) -> None:
    influx.query("CREATE DATABASE many")
    influx.write("\n".join(f"traffic n={row} {row + 1}" for row in range(25_000)), "many")
    location = _location(influx, "many")
    with location.client() as client:
        answers = list(query(location, client, f"SELECT n FROM {selection(location)}"))
    assert [value for rows in answers for _, value in rows.values] == list(range(25_000))
    assert len(answers) == 3


def test_points_that_are_no_flows_are_refused(influx: Influx, tmp_path: Path) -> None:
    influx.query("CREATE DATABASE other")
    influx.write("traffic load=1", "other")
    with pytest.raises(ValueError, match="other/traffic: no header of flows"):
        write_measurement(_location(influx, "other"), tmp_path, lambda points: None)


def test_what_is_not_there_is_said(influx: Influx, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="database not found: nowhere"):
        write_measurement(_location(influx, "nowhere"), tmp_path, lambda points: None)
    influx.query("CREATE DATABASE empty")
    with pytest.raises(ValueError, match="empty/traffic: no point is there"):
        write_measurement(_location(influx, "empty"), tmp_path, lambda points: None)
    nobody = InfluxLocation.parse(f"influxdb://u:secret@127.0.0.1:{free_port()}/d/m")
    with pytest.raises(ConnectionError, match="is influxd there") as refused:
        write_measurement(nobody, tmp_path, lambda points: None)
    assert "secret" not in str(refused.value)


def _location(influx: Influx, database: str) -> InfluxLocation:
    return InfluxLocation.parse(f"influxdb://{influx.address}/{database}/traffic")


def _escaped(title: str) -> str:
    return title.replace(" ", "\\ ").replace(",", "\\,")
