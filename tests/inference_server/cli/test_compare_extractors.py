from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from helpers.extractor import extractor_tools
from inference_server.cli import app

REFERENCE = Path(__file__).parents[2] / "reference"


def run(state: Path, capture: Path) -> Result:
    environment = {"STATE_DIR": str(state), "COLUMNS": "160"}
    return CliRunner().invoke(app, ["compare-extractors", str(capture)], env=environment)


def test_departures_are_told_feature_by_feature(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    (tmp_path / "tools").symlink_to(extractor_tools(request.config))
    result = run(tmp_path, REFERENCE / "01_tcp_fin.pcap")
    assert result.exit_code == 0, result.output
    assert "7 flows, 0 of them neither TCP nor UDP over IPv4" in result.stdout
    assert "Same five-tuple and start: 6, of which 5 also end at the same time" in result.stdout
    row = re.search(r"totlen_fwd_pkts\W+6 \(100%\)\W+([\d.]+)\W+(.*?) *│", result.stdout)
    assert row is not None
    assert float(row[1]) > 1
    assert row[2] == "frame lengths, headers and padding included"
    assert re.search(r"\d+ of 76 features are the same in every matched flow", result.stdout)


def test_without_the_environment_one_line_says_how_to_make_it(tmp_path: Path) -> None:
    result = run(tmp_path, REFERENCE / "01_tcp_fin.pcap")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "run ml-ids setup-extractor" in result.stderr


def test_a_capture_that_is_not_there(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    (tmp_path / "tools").symlink_to(extractor_tools(request.config))
    result = run(tmp_path, tmp_path / "absent.pcap")
    assert result.exit_code == 1
    assert "absent.pcap: No such file" in result.stderr
