from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.csv_files import write_csv
from helpers.flows import flow_table
from helpers.web_files import WebFiles, web_files
from inference_server.cli import app

PATH = "/CIC-IDS2017/friday.csv"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFiles]:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "var"))
    labels = np.array(["BENIGN", "PortScan"], object)
    write_csv(flow_table(2, extras={"label": labels}), tmp_path / "f.csv")
    with web_files() as server:
        server.files[PATH] = (tmp_path / "f.csv").read_bytes()
        yield server


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["data", "describe", *(str(argument) for argument in arguments)])


def test_a_url_is_fetched_into_the_state_directory_and_its_terms_are_shown(
    web: WebFiles, tmp_path: Path
) -> None:
    result = run(f"{web.url}{PATH}")
    assert result.exit_code == 0, result.output
    assert (
        result.output.count("terms: available to researchers, with citation") == 2
    )  # before it, and with it
    assert [path.name for path in (tmp_path / "var" / "data").rglob("*.csv")] == ["friday.csv"]
    assert run(f"{web.url}{PATH}").output.count("terms:") == 1
    found = json.loads(run(f"{web.url}{PATH}", "--json").stdout)
    assert found["published"]["cic-ids2017"]["source"] == "https://www.unb.ca/cic/datasets/ids-2017.html"


def test_a_checksum_is_held_against_what_came(web: WebFiles) -> None:
    digest = sha256(web.files[PATH]).hexdigest()
    assert run(f"{web.url}{PATH}", "--sha256", digest).exit_code == 0
    wrong = run(f"{web.url}{PATH}", "--sha256", digest[::-1])
    assert wrong.exit_code == 1
    assert f"its sha256 is {digest}" in wrong.output


def test_a_checksum_is_of_one_url(web: WebFiles, tmp_path: Path) -> None:
    for sources in ([f"{web.url}/a", f"{web.url}/b"], [tmp_path / "f.csv"]):
        result = run(*sources, "--sha256", "0" * 64)
        assert result.exit_code == 1
        assert "--sha256 is for one URL" in result.output


def test_the_cache_is_as_large_as_the_setting_says(web: WebFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_CACHE_GB", "0.0000001")
    result = run(f"{web.url}{PATH}")
    assert result.exit_code == 1
    assert "set DATA_CACHE_GB higher" in result.output
