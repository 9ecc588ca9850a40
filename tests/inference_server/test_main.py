from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from helpers.models import typical_flow

TRAINING = ("sklearn", "skops", "joblib", "matplotlib", "catboost", "flask", "mlflow.sklearn", "training")
BY_MLFLOW = ("mlflow", "pandas")
"""MLflow imports pandas where it is installed; a sensor's environment has none."""

SERVE = """
import sys
import orjson
from helpers.server import serving, wait_until
from inference_server.main import create_app
from inference_server.settings import load_settings

state, logs, flow, *names = sys.argv[1:]
def imported():
    return [name for name in names if name in sys.modules]

settings = load_settings(state_dir=state, log_dir=logs, start_cicflowmeter="false", demo=False)
with serving(create_app(settings)) as client:
    wait_until(lambda: client.get("/ready").status_code == 200)
    at_ready = imported()
    wait_until(lambda: client.get("/health").json()["model"]["source"])
    first = client.get("/health").json()["model"]
    answer = client.post("/predict", content=flow)
    wait_until(lambda: client.get("/health").json()["model"]["checked_at"])
    then = client.get("/health").json()["model"]
print(orjson.dumps([at_ready, first["source"], answer.json(), imported(), then["source"]]).decode())
"""


def served(state: Path, logs: Path) -> list[Any]:
    """Serve in a process of its own; what it has imported when it is ready, and after asking the registry."""
    flow = orjson.dumps(typical_flow(5)).decode()
    command = [sys.executable, "-c", SERVE, str(state), str(logs), flow, *BY_MLFLOW, *TRAINING]
    tests = str(Path(__file__).parents[1])
    paths = os.pathsep.join((tests, os.environ.get("PYTHONPATH", "")))
    made = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=300
    )
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout.splitlines()[-1])
    assert isinstance(found, list)
    return found


def test_the_cached_model_serves_before_mlflow_is_imported_and_never_needs_what_trains(
    tmp_path: Path, champion_state: Path
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    shutil.copy(champion_state / "mlflow.db", state)
    _, source, _, imported, _ = served(state, tmp_path / "logs")
    assert (source, imported) == ("registry", list(BY_MLFLOW))
    at_ready, source, answer, imported, source_then = served(state, tmp_path / "logs")
    assert (at_ready, source) == ([], "cache")
    assert answer["prediction"] == [5]
    assert (imported, source_then) == (list(BY_MLFLOW), "registry")
