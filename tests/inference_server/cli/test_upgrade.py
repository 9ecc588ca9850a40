from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from click.testing import Result
from mlflow.store.db.utils import _get_alembic_config
from typer.testing import CliRunner

from detection.mlflow_client import embedded_uri
from detection.mlflow_schema import found_revision, is_outdated
from helpers.registry import make_registry
from helpers.server import serving, wait_until
from inference_server.cli import app
from inference_server.main import create_app
from inference_server.settings import load_settings


@pytest.fixture(scope="module")
def current(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def state(current: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "var"
    shutil.copytree(current, folder)
    monkeypatch.setenv("STATE_DIR", str(folder))
    monkeypatch.setenv("LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setenv("START_CICFLOWMETER", "false")
    monkeypatch.chdir(tmp_path)
    return folder


def upgrade() -> Result:
    return CliRunner().invoke(app, ["upgrade"])


def make_older(state: Path) -> str:
    """Take the registry's tables back a revision of MLflow's, which it returns."""
    command.downgrade(_get_alembic_config(embedded_uri(state)), "-1")
    found = found_revision(state / "mlflow.db")
    assert found is not None
    return found


def test_an_earlier_registry_is_copied_and_migrated(state: Path) -> None:
    before = make_older(state)
    (state / "threshold.json").write_text("{}")
    result = upgrade()
    assert result.exit_code == 0, result.stderr
    assert f"mlflow.db: MLflow's tables migrated from {before} to " in result.stdout
    assert not is_outdated(state / "mlflow.db")
    (copy,) = (state / "backups").iterdir()
    assert found_revision(copy / "mlflow.db") == before
    assert (copy / "threshold.json").read_text() == "{}"
    assert "mlflow.db is as this version wants it" in upgrade().stdout


def test_the_service_leaves_an_earlier_registry_alone_and_serves_the_cached_model(state: Path) -> None:
    with serving(create_app(load_settings(port=0))) as client:
        wait_until(lambda: client.get("/health").json()["model"])
    before = make_older(state)
    with serving(create_app(load_settings(port=0))) as client:
        wait_until(lambda: "ml-ids upgrade" in str(client.get("/health").json()["reasons"]))
        health = client.get("/health").json()
        assert health["model"]["source"] == "cache"
        assert health["status"] == "degraded"
    assert found_revision(state / "mlflow.db") == before


def test_what_is_current_or_not_there_is_left_as_it_is(state: Path) -> None:
    result = upgrade()
    assert "mlflow.db is as this version wants it" in result.stdout
    assert "outbox.db does not exist" in result.stdout
    assert "alerts.db does not exist" in result.stdout


@pytest.mark.parametrize("name", ["outbox.db", "alerts.db"])
def test_a_database_without_tables_gets_them(state: Path, name: str) -> None:
    sqlite3.connect(state / name).close()
    assert f"{name} has its tables" in upgrade().stdout
    assert f"{name} is as this version wants it" in upgrade().stdout


def test_a_registry_elsewhere_is_its_owners(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert "the registry is a server's" in upgrade().stdout


def test_without_a_state_a_line_says_so(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIR", str(state / "elsewhere"))
    result = upgrade()
    assert (result.exit_code, result.stderr) == (
        1,
        f"error: {state}/elsewhere does not exist: there is nothing to upgrade; is STATE_DIR right?\n",
    )
