from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from detection.model_uri import ModelUri
from detection.promotion_gate import figures_of
from detection.registry import Registry
from flows.labels import BY_CODE
from flows.parquet_files import write_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.labelled import MINUTE_US, capture_folder
from helpers.models import FIGURES, made_up_flows, make_package, make_record
from helpers.registry import make_registry
from inference_server.cli import app
from training.report.files import BEGIN, END


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry of a champion with figures and of a decision tree that has none."""
    state = make_registry(tmp_path / "state", tmp_path / "scratch")
    monkeypatch.setenv("STATE_DIR", str(state))
    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    bare = {"figures": {}, "measured_on": "", "estimator": "decision-tree"}
    registry.register(make_package(tmp_path / "second", make_record().model_copy(update=bare)), "ml-ids")
    return registry


@pytest.fixture
def flows(tmp_path: Path) -> Path:
    features, codes = made_up_flows(240, seed=3)
    addresses = np.zeros((240, 16), np.uint8)
    addresses[:, 15] = np.arange(240) // 7 % 3 + 1
    times = np.arange(240) * MINUTE_US
    table = FlowTable.from_features(
        *(features, COMMON_NAMES, "improved"),
        start_us=times,
        end_us=times,
        src_addr=addresses,
        dst_addr=addresses + np.uint8(1),
        extras={"label": np.array([BY_CODE[code].name for code in codes.tolist()], object)},
    )
    write_parquet(table, tmp_path / "flows.parquet")
    return tmp_path / "flows.parquet"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], terminal_width=200)


def test_a_version_without_figures_is_refused_until_they_are_made(
    registry: Registry, flows: Path, tmp_path: Path
) -> None:
    refused = run("promote", "2")
    assert refused.exit_code == 1
    assert "ml-ids evaluate --all --data FLOWS --model 2" in refused.stderr
    readme = tmp_path / "README.md"
    readme.write_text(f"{BEGIN}\n{END}\n")
    captures = capture_folder(tmp_path / "captures")
    made = run(
        *("evaluate", "--all", "--data", flows, "--captures", captures, "--model", "2"),
        *("--out", tmp_path / "report", "--readme", readme),
    )
    assert made.exit_code == 0, made.output
    assert (tmp_path / "report" / "captures.png").exists()
    assert "| time-ordered split |" in readme.read_text()
    with registry.client() as client:
        found = figures_of(client, "ml-ids", "2")
        runs = client.search_runs([client.get_experiment_by_name("ml-ids").experiment_id])
    assert found.values.keys() >= FIGURES.keys()
    assert "evaluation decision-tree" in {one.info.run_name for one in runs}
    other_flows = run("promote", "2")
    assert other_flows.exit_code == 1
    assert "were measured on different flows" in other_flows.stderr
    forced = run("promote", "2", "--force")
    assert forced.exit_code == 0
    assert "by force" in forced.stderr
    champion = registry.find(ModelUri("ml-ids", "alias", "champion"))
    assert champion.number == "2"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--all",), "--all needs --data"),
        (("--all", "--data", "x", "--model", "1", "--estimator", "mlp"), "--model says which estimator"),
        (("--all", "--data", "x", "--estimator", "oracle"), "no estimator oracle"),
        (("--data", "x"), "go with --all"),
    ],
)
def test_what_does_not_fit_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = run("evaluate", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
