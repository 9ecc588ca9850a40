from __future__ import annotations

import logging
from pathlib import Path

import mlflow.sklearn
import pytest
from click.testing import Result
from mlflow.models import infer_signature
from sklearn.ensemble import GradientBoostingClassifier
from typer.testing import CliRunner

from detection.mlflow_client import embedded_uri, open_client
from detection.registry import Registry
from helpers.foreign import fitted_forest, golden_flows, titles_2018, training_frame
from helpers.models import log_folder, typical_table
from helpers.registry import make_registry
from inference_server.cli import app


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with a champion of ours, and a plain model that somebody logged, with a metric."""
    state = make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("scratch"))
    logging.getLogger("mlflow.sklearn").setLevel(logging.ERROR)
    uri = embedded_uri(state)
    open_client(uri)
    mlflow.set_tracking_uri(uri)
    try:
        mlflow.create_experiment("theirs", (state / "mlartifacts").as_uri())
        mlflow.set_experiment("theirs")
        with mlflow.start_run():
            mlflow.log_metric("val_f1", 0.875)
            frame, _ = training_frame(titles_2018())
            mlflow.sklearn.log_model(
                fitted_forest(titles_2018()),
                name="model",
                registered_model_name="theirs",
                serialization_format="pickle",
                pip_requirements=["scikit-learn"],
                signature=infer_signature(frame),
            )
    finally:
        mlflow.set_tracking_uri(None)
    return state


@pytest.fixture(autouse=True)
def settings(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIR", str(state))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    golden_flows(tmp_path / "golden.parquet")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def import_of(uri: object, *more: object) -> Result:
    given = ("--dialect", "improved", "--benign-label", "BENIGN", "--golden", "golden.parquet")
    return run("models", "import", uri, *given, *more)


@pytest.mark.parametrize("arguments", [("models",), ("models", "list")])
def test_lists_every_version(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    [ours] = [line for line in result.stdout.splitlines() if "champion" in line]
    for shown in ("ml-ids", "improved", "76", "0.5"):
        assert f" {shown} " in ours
    [theirs] = [line for line in result.stdout.splitlines() if "theirs" in line]
    assert "ml-ids models import" in theirs


def test_a_plain_model_of_the_registry_is_imported_and_shadows(state: Path, tmp_path: Path) -> None:
    result = import_of("models:/theirs/1", "--name", "from-theirs", "--threshold", "0.4")
    assert result.exit_code == 0, result.output
    assert "models:/from-theirs/1: compiled arrays, 76 features, 3 classes; on 60 flows" in result.stdout
    assert "models:/from-theirs/1 is @challenger" in result.stdout
    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    version = registry.alias("from-theirs", "challenger")
    assert version
    (tmp_path / "loaded").mkdir()
    scorer = registry.load(version, tmp_path / "loaded")
    assert scorer.score(typical_table([0, 5, 17])).code.tolist() == [0, 5, 17]
    assert scorer.threshold == 0.4
    card = (tmp_path / "loaded" / "card.md").read_text()
    assert "val_f1: 0.875" in card
    assert "from `models:/theirs/1` (run `" in card


def test_the_next_import_is_the_next_version_and_can_be_the_champion(tmp_path: Path) -> None:
    folder = log_folder(fitted_forest(titles_2018()), tmp_path / "logged")
    assert import_of(folder, "--name", "local", "--alias", "none").exit_code == 0
    result = import_of(folder, "--name", "local", "--alias", "champion")
    assert "models:/local/2 is @champion; its files" in result.stdout
    listed = run("models").stdout
    assert [line.split()[3] for line in listed.splitlines() if " local " in line] == ["2", "1"]


def test_a_model_without_a_compiled_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame, labels = training_frame(titles_2018())
    boosted = GradientBoostingClassifier(n_estimators=2, random_state=0).fit(frame, labels)
    folder = log_folder(boosted, tmp_path / "logged")
    refused = import_of(folder, "--name", "boosted")
    assert refused.exit_code == 1
    assert "GradientBoostingClassifier" in refused.stderr
    assert "--pickle" in refused.stderr
    kept = import_of(folder, "--name", "boosted", "--pickle", "--alias", "none")
    assert kept.exit_code == 0, kept.output
    assert "models:/boosted/1: pickle, 76 features" in kept.stdout
    promoted = run("promote", "boosted/1")
    assert promoted.exit_code == 1
    assert (
        "ml-ids models import models:/boosted/1 --dialect improved --benign-label LABEL --golden FLOWS"
        in promoted.stderr
    )
    monkeypatch.setenv("ALLOW_PICKLE_MODELS", "true")
    assert run("promote", "boosted/1").exit_code == 0


@pytest.mark.parametrize(
    ("uri", "more", "message"),
    [
        ("models:/nobody/1", (), "models:/nobody/1 cannot be fetched from registry sqlite:///"),
        ("models:/theirs/1", ("--label", "BENIGN"), "--label 'BENIGN': write CLASS=LABEL"),
        ("models:/theirs/1", ("--nan", "none"), "--nan 'none': write a number, or keep"),
        ("models:/theirs/1", ("--dialect", "java"), "unknown dialect 'java'"),
        ("models:/theirs/1", ("--golden", "absent.csv"), "absent.csv: No such file"),
        ("models:/theirs/1", ("--threshold", "2"), "threshold: 2.0 is not above 0 and at most 1"),
        ("models:/theirs/1", ("--benign-label", "good"), "it has 'BENIGN', 'DoS Hulk', 'PortScan'"),
    ],
)
def test_what_cannot_be_imported_is_one_line_and_exit_code_1(
    uri: str, more: tuple[str, ...], message: str
) -> None:
    result = import_of(uri, *more)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_help_says_that_code_runs() -> None:
    result = run("models", "import", "--help")
    assert "runs the code in its file" in " ".join(result.stdout.split())
