"""deploy/telegraf.conf. Telegraf itself is not run: its Starlark script is, as the Python that it also is."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from helpers.influxdb import influx_server

ROOT = Path(__file__).resolve().parents[2]
CONFIG: dict[str, Any] = tomllib.loads((ROOT / "deploy" / "telegraf.conf").read_text())
SCRIPT = CONFIG["processors"]["starlark"][0]["source"]
STARLARK_TYPES = {str: "string"}


@dataclass
class Metric:
    """What Telegraf gives to `apply`: times are nanoseconds."""

    time: int
    fields: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=lambda: {"source": "data/a.csv"})

    def line(self) -> str:
        tags = "".join(f",{name}={value}" for name, value in self.tags.items())
        fields = ",".join(f"{name}={value}" for name, value in self.fields.items())
        return f"traffic{tags} {fields} {self.time}"


def script() -> Callable[[Metric], Metric]:
    scope: dict[str, Any] = {"type": lambda value: STARLARK_TYPES.get(type(value), type(value).__name__)}
    exec(compile(SCRIPT, "telegraf.conf", "exec"), scope)
    found: Callable[[Metric], Metric] = scope["apply"]
    return found


def test_its_database_and_measurement_are_those_of_attacksdetector() -> None:
    (output,) = CONFIG["outputs"]["influxdb"]
    (tail,) = CONFIG["inputs"]["tail"]
    assert (output["urls"], output["database"]) == (["http://localhost:8089"], "intrusion")
    assert (tail["name_override"], tail["csv_tag_columns"]) == ("traffic", ["iface"])
    assert (tail["csv_timestamp_column"], tail["csv_timestamp_format"]) == ("time", "unix")


def test_times_are_not_rounded_and_lines_are_read_once() -> None:
    (tail,) = CONFIG["inputs"]["tail"]
    assert CONFIG["agent"]["precision"] == "1ns"
    assert (tail["from_beginning"], tail["path_tag"]) == (True, "source")


def test_rows_of_one_second_stay_apart_in_the_database(tmp_path: Path) -> None:
    apply = script()
    second = 1_617_656_527 * 10**9
    rows = [Metric(second + row // 100 * 10**9, {"duration": row}) for row in range(500)]
    with influx_server(tmp_path) as server:
        server.query("CREATE DATABASE intrusion")
        server.write("\n".join(apply(row).line() for row in rows), "intrusion")
        assert server.query("SELECT COUNT(row) FROM traffic", "intrusion")[0][1] == 500


def test_a_restart_makes_the_same_points_of_the_same_lines() -> None:
    def times() -> list[int]:
        apply = script()
        return [apply(Metric(7 * 10**9)).time for _ in range(3)]

    assert times() == times() == [7 * 10**9, 7 * 10**9 + 1, 7 * 10**9 + 2]


def test_files_are_counted_apart() -> None:
    apply = script()
    numbers = [
        apply(Metric(0, tags={"source": name})).fields["row"] for name in ("a.csv", "b.csv", "a.csv", "b.csv")
    ]
    assert numbers == [0.0, 0.0, 1.0, 1.0]


def test_numbers_become_floats_and_texts_stay() -> None:
    fields = script()(Metric(0, {"src_bytes": 181, "serror_rate": 0.5, "flag": "SF"})).fields
    assert fields == {"src_bytes": 181.0, "serror_rate": 0.5, "flag": "SF", "row": 0.0}
    assert [type(value) for value in fields.values()] == [float, float, str, float]
