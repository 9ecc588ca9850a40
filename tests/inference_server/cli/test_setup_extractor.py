from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from capture.extractors.environment import default_release
from helpers.extractor import extractor_tools
from inference_server.cli import app


def run(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["setup-extractor", *arguments], env={"STATE_DIR": str(state)})


def test_says_what_is_there_and_how_to_use_it(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    (tmp_path / "tools").symlink_to(extractor_tools(request.config))
    result = run(tmp_path)
    assert result.exit_code == 0, result.output
    assert f"cicflowmeter {default_release()} is in {tmp_path}/tools/cicflowmeter" in result.stdout
    assert "CAPTURE_EXTRACTOR=cicflowmeter" in result.stdout


def test_an_unknown_release_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    result = run(tmp_path, "--release", "0.4.0")
    assert result.exit_code == 1
    assert result.stderr == "error: cicflowmeter 0.4.0 is not supported: choose 0.2.0 or 0.5.0\n"
