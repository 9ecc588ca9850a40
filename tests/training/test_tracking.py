from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detection.mlflow_client import PASSWORD, embedded_uri, open_client
from flows.schema import COMMON_NAMES
from helpers.models import made_up_flows
from training import tracking
from training.dataset import LabelledFlows
from training.estimators import ESTIMATORS
from training.recipe import Recipe
from training.tracking import flows_sha256, git_commit, log_run, origin_of, recipe_params, versions


def flows(rows: int = 30) -> LabelledFlows:
    features, codes = made_up_flows(rows)
    return LabelledFlows.of(features, COMMON_NAMES, codes, "improved", dropped={"duplicate": 3})


def test_the_sum_of_the_data_changes_with_what_is_trained_on() -> None:
    one = flows()
    assert flows_sha256(one) == flows_sha256(flows())
    others = [
        replace(one, codes=one.codes[::-1].copy()),
        replace(one, dialect="cic-2018"),
        replace(one, names=one.names[::-1]),
        replace(one, features=np.nextafter(one.features, np.inf)),
    ]
    assert len({flows_sha256(other) for other in (one, *others)}) == 5


def test_an_origin_says_what_was_chosen_and_what_it_was_done_with() -> None:
    recipe = Recipe(ESTIMATORS["knn"], {"neighbours": 3}, seed=9)
    origin = origin_of([flows()], [Path("a.csv"), "s3://b/c"], recipe_params(recipe))
    assert origin.params == {
        **{"data": "a.csv, s3://b/c", "flows": "30", "rows read": "30", "dropped": "3 duplicate"},
        **{"estimator": "knn", "seed": "9", "binary": "false", "param/neighbours": "3"},
    }
    assert origin.tags["data_sha256"] == flows_sha256(flows())
    assert origin.tags["version/numpy"] == np.__version__
    assert set(versions()) >= {"Python", "ml-ids", "scikit-learn"}


def test_passwords_in_locations_stay_out_of_an_origin() -> None:
    origin = origin_of([flows()], ["influxdb://me:secret@h:1/d/m"], {})
    assert origin.params["data"] == f"influxdb://me:{PASSWORD}@h:1/d/m"


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() == "unknown"


def test_a_run_that_registers_nothing_keeps_all_figures_and_files(tmp_path: Path) -> None:
    client = open_client(embedded_uri(tmp_path))
    experiment = client.create_experiment("evaluations", artifact_location=(tmp_path / "art").as_uri())
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.md").write_text("# Report\n")
    metrics = {f"figure/{number}": float(number) for number in range(1200)}
    origin = tracking.Origin({"seed": "1"}, {"git_commit": "abc"})
    run = client.get_run(log_run(client, experiment, "report", origin, metrics, tmp_path / "report"))
    assert run.data.metrics == metrics
    assert (run.data.params["seed"], run.data.tags["git_commit"]) == ("1", "abc")
    assert run.info.status == "FINISHED"
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["report.md"]
