from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.csv_files import write_csv
from helpers.flows import flow_table
from helpers.influxdb import Influx, influx_server
from inference_server.cli import app


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with influx_server(tmp_path_factory.mktemp("influx")) as server:
        yield server


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "var"))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", *(str(argument) for argument in arguments)])


def test_rows_in_are_points_out_and_training_data_again(influx: Influx, tmp_path: Path) -> None:
    rates = np.array([np.inf, *range(6)])
    labels = np.array(["BENIGN", *["PortScan"] * 6], object)
    second = np.full(7, 1_499_432_400_000_000)
    table = flow_table(7, features={"flow_byts_s": rates}, extras={"label": labels}, start_us=second)
    write_csv(table, tmp_path / "flows.csv")
    url = f"influxdb://{influx.address}/intrusion/traffic"
    for _ in range(2):
        loaded = run("load", tmp_path / "flows.csv", url)
        assert loaded.exit_code == 0, loaded.output
        assert "flows.csv: 7 points in influxdb" in loaded.output
        assert "1 values, infinity or NaN, cannot be there: left out" in loaded.output
    described = run("describe", url)
    assert described.exit_code == 0, described.output
    said = " ".join(described.output.split())
    assert "7 flows of 7 rows" in said
    assert "dialect improved" in said
    assert "2017-07-07 13:00:00" in said


def test_what_is_no_place_in_influxdb_is_refused(tmp_path: Path) -> None:
    result = run("load", tmp_path / "flows.csv", "http://host/database")
    assert result.exit_code == 1
    assert "write influxdb://host:8086/database/measurement" in result.output
