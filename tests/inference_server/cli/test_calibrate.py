from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from detection.package import load_package
from flows.csv_files import write_csv
from flows.parquet_files import write_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.archive import archive_flows
from helpers.models import made_up_flows, make_package, typical_table
from helpers.registry import make_registry
from inference_server.cli.calibrate import calibrate
from inference_server.cli.score import score

HOUR_US = 3_600_000_000
app = typer.Typer(pretty_exceptions_enable=False)
app.command()(calibrate)
app.command()(score)


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """A STATE_DIR with a model, and the last twelve hours' flows in the archive."""
    state = make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("scratch"))
    archive_flows(state, TRAFFIC)
    return state


def _traffic():
    benign, _ = made_up_flows(720, classes=(0,), seed=3)
    # From benign to a thousand times that, which is a flood: scores of all kinds.
    features = benign * 1000 ** np.random.default_rng(3).random((720, 1))
    now = int(time.time() * 1e6)
    start = now - 12 * HOUR_US + np.arange(720) * (12 * HOUR_US // 720)
    return FlowTable.from_features(
        features, COMMON_NAMES, "improved", sensor="sensor-1", start_us=start, end_us=start + 60_000_000
    )


TRAFFIC = _traffic()


@pytest.fixture(autouse=True)
def settings(state, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATE_DIR", str(state))
    monkeypatch.setenv("COLUMNS", "120")
    yield
    (state / "threshold.json").unlink(missing_ok=True)


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def scores(tmp_path_factory, table=TRAFFIC):
    package = load_package(make_package(tmp_path_factory.mktemp("package")))
    verdicts = package.score(table)
    return verdicts.p_attack[~verdicts.insufficient]


def test_the_archive_gives_a_threshold_that_score_then_uses(state, tmp_path, tmp_path_factory):
    result = run("calibrate", "--last", "24h", "--alerts-per-day", 40, "--apply")
    assert result.exit_code == 0, result.output
    applied = json.loads((state / "threshold.json").read_text())
    assert (applied["model_name"], applied["model_version"], applied["flows"]) == ("ml-ids", "1", 720)
    assert applied["seconds"] == pytest.approx(12 * 3600, rel=0.01)
    p_attack = scores(tmp_path_factory)
    flagged = (p_attack >= applied["threshold"]).sum()
    # 40 a day are 20 in these twelve hours.
    assert 0 < flagged <= 20 < (p_attack >= p_attack[p_attack < applied["threshold"]].max()).sum()
    assert "720 flows in 12.0 hours" in result.stdout
    assert f"threshold {applied['threshold']:.6f}: at most 40 flagged flows a day" in result.stdout
    assert "█" in result.stdout
    scored = run("score", "-o", tmp_path / "verdicts.csv", "--last", "24h")
    assert scored.exit_code == 0, scored.output
    assert f"threshold {applied['threshold']:.6g}" in scored.stdout.replace("\n", " ")
    labels = [line.split(",")[7] for line in (tmp_path / "verdicts.csv").read_text().splitlines()[1:]]
    assert len(labels) == 720
    assert sum(label.strip('"') not in ("benign", "insufficient") for label in labels) == flagged
    assert run("calibrate", "--reset").exit_code == 0
    assert not (state / "threshold.json").exists()


def test_nothing_is_applied_unasked(state):
    result = run("calibrate", state / "flows", "--alerts-per-day", 40)
    assert result.exit_code == 0, result.output
    assert not (state / "threshold.json").exists()
    rows = [line.split("│")[1:-1] for line in result.stdout.splitlines() if line.startswith("│")]
    table = [(float(row[0]), float(row[1].replace(",", "")), row[3].strip()) for row in rows]
    assert [row[0] for row in table] == sorted((row[0] for row in table), reverse=True)
    assert [row[1] for row in table] == sorted(row[1] for row in table)
    assert {"found", "in force, the model's own"} <= {row[2] for row in table}


def test_files_of_flows_do_as_well(tmp_path):
    write_parquet(TRAFFIC, tmp_path / "flows.parquet")
    write_csv(TRAFFIC, tmp_path / "flows.csv", header="snake")
    for name in ("flows.parquet", "flows.csv"):
        result = run("calibrate", tmp_path / name, "--alerts-per-day", 40)
        assert result.exit_code == 0, result.output
        assert "720 flows in 12.0 hours" in result.stdout


def test_flows_of_a_dialect_that_is_not_served_have_no_say(tmp_path):
    foreign = replace(TRAFFIC, dialect="cic-v4")
    write_parquet(TRAFFIC, tmp_path / "own.parquet")
    write_parquet(foreign, tmp_path / "foreign.parquet")
    result = run("calibrate", tmp_path / "own.parquet", tmp_path / "foreign.parquet", "--alerts-per-day", 40)
    assert result.exit_code == 0, result.output
    assert "720 flows of dialect cic-v4 left out: the model reads improved" in result.stderr
    assert "720 flows in 12.0 hours" in result.stdout


def test_little_traffic_is_warned_of(tmp_path):
    write_parquet(TRAFFIC.take(slice(30)), tmp_path / "short.parquet")
    result = run("calibrate", tmp_path / "short.parquet", "--alerts-per-day", 1)
    assert "less than an hour of traffic says little of a day" in result.stderr
    write_parquet(TRAFFIC, tmp_path / "flows.parquet")
    result = run("calibrate", tmp_path / "flows.parquet", "--alerts-per-day", 1)
    assert "1 a day is not one flow in 12.0 hours" in result.stderr


def test_a_setting_that_overrides_is_warned_of(state, monkeypatch):
    monkeypatch.setenv("DETECTION_THRESHOLD", "0.25")
    result = run("calibrate", "--last", "24h", "--alerts-per-day", 40, "--apply")
    assert "DETECTION_THRESHOLD=0.25 is in force instead: unset it" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--last", "24h"), "--alerts-per-day 10"),
        (("--alerts-per-day", "10"), "name captures or flows, or say --last 24h"),
        (("--reset", "--last", "24h"), "--reset goes without anything else"),
        (("timeless.parquet", "--alerts-per-day", "10"), "timeless.parquet: flows without their time"),
        (("nothing.parquet", "--alerts-per-day", "10"), "no traffic to calibrate on"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(tmp_path, arguments, message):
    write_parquet(typical_table([0, 5]), tmp_path / "timeless.parquet")
    write_parquet(TRAFFIC.take(slice(0)), tmp_path / "nothing.parquet")
    result = run("calibrate", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
