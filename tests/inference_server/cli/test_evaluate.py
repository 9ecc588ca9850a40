from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.labels import BY_CODE
from flows.parquet_files import write_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.archive import archive_flows
from helpers.models import made_up_flows, make_package, make_record
from helpers.packets import connection, pcap, write_capture
from helpers.registry import make_registry
from inference_server.cli import app

DAY_US = 86_400_000_000
FEATURES, CODES = made_up_flows(300, seed=7)
NAMES = np.array([BY_CODE[code].name for code in CODES.tolist()], object)


def flows(labels: np.ndarray | None = NAMES, dialect: str = "improved") -> FlowTable:
    """Return flows over the last hour of the day that is over now."""
    start = int(time.time() * 1e6) - DAY_US // 24 + np.arange(len(CODES)) * (DAY_US // 24 // len(CODES))
    extras = {} if labels is None else {"label": labels}
    times = {"start_us": start, "end_us": start + 60_000_000}
    return FlowTable.from_features(FEATURES, COMMON_NAMES, dialect, sensor="sensor-1", **times, extras=extras)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("scratch"))
    archive_flows(state, flows(labels=None))
    return state


@pytest.fixture(autouse=True)
def settings(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIR", str(state))
    monkeypatch.setenv("COLUMNS", "150")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *(str(argument) for argument in arguments)])


def test_labelled_flows_give_figures_by_class(tmp_path: Path) -> None:
    write_parquet(flows(), tmp_path / "flows.parquet")
    result = run(tmp_path / "flows.parquet", "-o", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "report.json").read_text())["labelled"]
    of_class = {BY_CODE[code].name: int((code == CODES).sum()) for code in np.unique(CODES).tolist()}
    assert {name: figures["n"] for name, figures in found["classes"].items()} == of_class
    assert {name: sum(row.values()) for name, row in found["confusion"].items()} == of_class
    hits = sum(row.get("benign" if name == "Benign" else name, 0) for name, row in found["confusion"].items())
    assert found["accuracy"] == hits / 300 > 0.9
    assert f"300 labelled flows: accuracy {found['accuracy']:.4f}" in result.stdout


def test_the_archive_has_no_labels_and_says_what_is_flagged() -> None:
    result = run("--last", "24h")
    assert result.exit_code == 0, result.output
    [line] = [line for line in result.stdout.splitlines() if "without a label" in line]
    assert line.startswith("300 flows without a label, 0 of them insufficient: ")
    assert "a day of such traffic" in line


def test_another_version_can_be_evaluated(state: Path, tmp_path: Path) -> None:
    from detection.registry import Registry

    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    registry.register(make_package(tmp_path / "second", make_record(threshold=1.0)), "ml-ids")
    write_parquet(flows(), tmp_path / "flows.parquet")
    result = run(tmp_path / "flows.parquet", "--model", "2", "-o", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["model"]["version"], report["threshold"]) == ("2", 1.0)
    assert "has no models:/ml-ids/9" in run(tmp_path / "flows.parquet", "--model", "9").stderr


def test_flows_of_another_dialect_are_warned_of(tmp_path: Path) -> None:
    write_parquet(flows(dialect="cic-2017"), tmp_path / "flows.parquet")
    result = run(tmp_path / "flows.parquet")
    assert result.exit_code == 0
    assert "flows.parquet: dialect cic-2017, but the model reads improved" in result.stderr


def test_an_unknown_label_is_one_line(tmp_path: Path) -> None:
    write_parquet(flows(np.full(len(CODES), "Gremlins", object)), tmp_path / "flows.parquet")
    result = run(tmp_path / "flows.parquet")
    assert result.exit_code == 1
    assert "flows.parquet: unknown label 'Gremlins': not in the label table" in result.stderr


def test_a_capture_is_labelled_by_its_rules(tmp_path: Path) -> None:
    path = write_capture(tmp_path / "scan.pcap", pcap([*connection(), *connection(1_000_000, port=40001)]))
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "scan.labels.yaml").write_text("rules: [{label: Portscan, source_port: 40001}]\n")
    result = run(path, "--rules", rules, "-o", tmp_path / "report.json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "report.json").read_text())
    assert {name: figures["n"] for name, figures in found["labelled"]["classes"].items()} == {
        "Benign": 1,
        "Portscan": 1,
    }
    assert "unlabelled" not in found
