from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from detection.mlflow_client import open_client
from detection.registration import register_package
from helpers.models import make_package, make_record


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("arti facts")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    return open_client(f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db")


def test_the_registry_shows_card_figures_and_tags(
    client: MlflowClient, artifacts: Path, tmp_path: Path
) -> None:
    package = make_package(tmp_path)
    assert register_package(client, package, "shown", alias="champion", artifacts=artifacts.as_uri()) == "1"
    version = client.get_model_version_by_alias("shown", "champion")
    record = make_record()
    assert version.description == "# A model of made-up flows\n"
    assert version.tags == {
        "dialect": "improved",
        "schema_id": record.schema_id,
        "threshold": "0.5",
        "measured_on": "made-up flows",
    }
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics == record.figures
    assert run.data.params["classes"] == "Benign, DoS Hulk, Portscan"
    assert run.data.tags["mlflow.note.content"] == version.description
    (record_file,) = artifacts.rglob("record.json")
    assert record_file.read_bytes() == (package / "record.json").read_bytes()
    assert (record_file.parent / "model" / "model.skops").exists()


def test_an_alias_moves_to_the_next_version(client: MlflowClient, artifacts: Path, tmp_path: Path) -> None:
    package = make_package(tmp_path)
    for number in ("1", "2"):
        version = register_package(client, package, "moved", alias="champion", artifacts=artifacts.as_uri())
        assert version == number
    assert int(client.get_registered_model("moved").aliases["champion"]) == 2


def test_an_experiment_that_was_deleted_comes_back(
    client: MlflowClient, artifacts: Path, tmp_path: Path
) -> None:
    client.delete_experiment(client.create_experiment("deleted", artifacts.as_uri()))
    register_package(client, make_package(tmp_path), "deleted", alias="champion")
    assert client.get_experiment_by_name("deleted").lifecycle_stage == "active"


def test_a_long_card_is_shortened_at_a_paragraph(
    client: MlflowClient, artifacts: Path, tmp_path: Path
) -> None:
    package = make_package(tmp_path)
    (package / "card.md").write_text("# Long\n\n" + "A line that says something.\n\n" * 400)
    register_package(client, package, "long", alias="champion", artifacts=artifacts.as_uri())
    description = client.get_model_version("long", "1").description
    assert len(description) <= 5000
    kept, rest = description.rsplit("\n\n", 1)
    assert kept.endswith("something.")
    assert rest == "The rest stands in package/card.md of the run's artifacts.\n"
