from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from flows.schema import COMMON_NAMES
from inference_server.cli import app

pytest.importorskip("catboost", reason="CatBoost, an extra, is not installed")
DEMO = Path(__file__).parents[3] / "data" / "demo" / "test.h5"
TRAINED = ("--train-path", "--val-path", "--test-path")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """What a quick training on the demonstration flows says, and the folder it makes."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "params.json").write_text('{"nr_iterations": 15, "tree_depth": 4, "random_seed": 1}')
    out = folder / "build" / "models" / "gradient_boost"
    arguments = [argument for name in TRAINED for argument in (name, str(DEMO))]
    arguments += ["--train-param-path", str(folder / "params.json"), "--output-path", str(out)]
    result = CliRunner(env={"STATE_DIR": str(folder / "state")}).invoke(app, ["train-local", *arguments])
    assert result.exit_code == 0, result.output
    return result, out


def test_figures_are_lines_that_sagemaker_reads(made: tuple[Result, Path]) -> None:
    result, out = made
    found = dict(re.findall(r"^(pr_auc|precision|recall|f1): ([\d.]+)$", result.stdout, re.MULTILINE))
    assert list(found) == ["pr_auc", "precision", "recall", "f1"]
    assert float(found["pr_auc"]) > 0.9
    assert f"mlflow models serve -m {out}" in result.stdout


def test_the_run_is_tracked(made: tuple[Result, Path]) -> None:
    from detection.mlflow_client import embedded_uri, open_client

    client = open_client(embedded_uri(made[1].parents[2] / "state"))
    [run] = client.search_runs([client.get_experiment_by_name("gradient_boost").experiment_id])
    assert run.data.params["nr_iterations"] == "15"
    assert set(run.data.metrics) == {"pr_auc", "precision", "recall", "f1"}
    assert "MLmodel" in [file.path for file in client.list_artifacts(run.info.run_id)]


def test_what_is_missing_is_one_line(tmp_path: Path) -> None:
    result = CliRunner(env={"STATE_DIR": str(tmp_path)}).invoke(
        app,
        [
            "train-local",
            "--train-path",
            str(tmp_path / "train.h5"),
            "--train-param-path",
            str(tmp_path / "no"),
        ],
    )
    assert result.exit_code == 1
    assert "no: No such file" in result.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_mlflow_serves_the_folder(made: tuple[Result, Path], tmp_path: Path) -> None:
    port = free_port()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["mlflow", "models", "serve", "-m", str(made[1]), "-p", str(port), "--env-manager", "local"]
    frame = pd.read_hdf(DEMO, "ids_data")
    assert {*COMMON_NAMES, "dst_port", "protocol", "timestamp"} < {*frame.columns}
    rows = frame.drop(columns="label").iloc[[0, -1]]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, env={**os.environ, "PATH": path}, stdout=log, stderr=log) as server,
    ):
        try:
            answer = _asked(f"http://127.0.0.1:{port}", json.loads(rows.to_json(orient="split", index=False)))
        finally:
            server.terminate()
    assert answer == {"predictions": [float(label != "Benign") for label in frame["label"].iloc[[0, -1]]]}


def _asked(url: str, split: dict[str, object]) -> object:
    end = time.monotonic() + 120
    while True:
        try:
            return httpx.post(f"{url}/invocations", json={"dataframe_split": split}, timeout=60).json()
        except httpx.TransportError:
            assert time.monotonic() < end, "mlflow models serve did not answer"
            time.sleep(0.5)
