from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flows.schema import COMMON_NAMES
from helpers.models import made_up_flows
from training.dataset import LabelledFlows
from training.gradient_boost import (
    COLUMNS,
    Boosted,
    TrainingParams,
    figures,
    save_gradient_boost,
    train_gradient_boost,
)

pytest.importorskip("catboost", reason="CatBoost, an extra, is not installed")
QUICK = TrainingParams(nr_iterations=8, tree_depth=3, nr_samples_attack_category=200, random_seed=1)
SHIPPED = Path(__file__).parents[2] / "models" / "gradient_boost" / "training_params.json"


def flows(rows: int, seed: int, *, odd: bool = False) -> LabelledFlows:
    features, codes = made_up_flows(rows, seed=seed)
    if odd:
        features[::9, COMMON_NAMES.index("flow_byts_s")] = np.inf
        features[::11, COMMON_NAMES.index("idle_min")] = -1.0
        features[::13, COMMON_NAMES.index("init_fwd_win_byts")] = -1.0
    return LabelledFlows.of(features, COMMON_NAMES, codes, "cic-2018")


@pytest.fixture(scope="module")
def boosted() -> Boosted:
    return train_gradient_boost(flows(300, 1, odd=True), flows(90, 2), flows(90, 3), QUICK)


def frame(table: LabelledFlows) -> pd.DataFrame:
    """The columns as clients send them, some that the model does not read among them."""
    columns = pd.DataFrame(table.features, columns=list(table.names))
    return columns.assign(dst_port=80, timestamp="20/02/2018 08:00:00")[columns.columns[::-1]]


def test_it_learns_and_says_how_well(boosted: Boosted, capfd: pytest.CaptureFixture[str]) -> None:
    assert list(boosted.metrics) == ["pr_auc", "precision", "recall", "f1"]
    assert min(boosted.metrics.values()) > 0.9
    again = train_gradient_boost(flows(300, 1, odd=True), flows(90, 2), flows(90, 3), QUICK)
    assert again.metrics == boosted.metrics
    said = capfd.readouterr().out
    # What SageMaker's expressions look for.
    assert "learn: " in said
    assert "test: " in said
    assert "bestTest = " in said


def test_columns_that_lack_values_are_imputed_and_come_first(boosted: Boosted) -> None:
    assert len(COLUMNS) == 68
    assert boosted.columns[:2] == ("flow_byts_s", "idle_min")
    assert sorted(boosted.columns) == sorted(COLUMNS)
    column = flows(300, 1).features[:, COMMON_NAMES.index("idle_min")]
    kept = np.arange(300) % 11 != 0
    assert boosted.medians["idle_min"] == np.median(column[kept])


def test_the_folder_is_an_mlflow_model_that_needs_nothing_of_the_project(
    boosted: Boosted, tmp_path: Path
) -> None:
    import mlflow.pyfunc

    out = tmp_path / "build" / "models" / "gradient_boost"
    save_gradient_boost(boosted, out)
    save_gradient_boost(boosted, out)
    loaded = mlflow.pyfunc.load_model(str(out))
    table = flows(60, 4, odd=True)
    answers = loaded.predict(frame(table))
    assert answers.dtype == np.float64
    assert set(answers.tolist()) == {0.0, 1.0}
    assert np.mean((answers == 1.0) == (table.codes != 0)) > 0.9
    code = (out / "gradient_boost_model.py").read_text()
    assert "from training" not in code
    with pytest.raises(Exception, match="missing columns: idle_min"):
        loaded.predict(frame(table).drop(columns="idle_min"))


def test_another_folder_is_left_alone(boosted: Boosted, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="name another folder"):
        save_gradient_boost(boosted, tmp_path)


def test_validation_rows_join_the_training_rows_when_they_are_not_used() -> None:
    lone = flows(90, 1).take(flows(90, 1).codes == 0)
    params = QUICK.model_copy(update={"use_val_set": False})
    assert train_gradient_boost(lone, flows(90, 2), flows(30, 3), params).metrics["pr_auc"] > 0.5
    with pytest.raises(ValueError, match="need benign flows and attacks"):
        train_gradient_boost(lone, flows(90, 2), flows(30, 3), QUICK)


def test_without_a_gpu_the_cpu_does_it(caplog: pytest.LogCaptureFixture) -> None:
    from catboost.utils import get_gpu_device_count

    if get_gpu_device_count():
        pytest.skip("there is a GPU")
    params = QUICK.model_copy(update={"task_type": "GPU"})
    with caplog.at_level(logging.WARNING):
        train_gradient_boost(flows(60, 1), flows(30, 2), flows(30, 3), params)
    assert "finds no GPU here" in caplog.text


def test_parameters_are_the_predecessors(tmp_path: Path) -> None:
    assert TrainingParams.read(SHIPPED).nr_iterations == 2000
    assert TrainingParams.read(SHIPPED).task_type == "CPU"
    texts = {name: str(value) for name, value in TrainingParams.read(SHIPPED).model_dump().items()}
    (tmp_path / "hyperparameters.json").write_text(json.dumps(texts))
    assert TrainingParams.read(tmp_path / "hyperparameters.json") == TrainingParams.read(SHIPPED)
    (tmp_path / "odd.json").write_text('{"depth": 3, "tree_depth": 99}')
    with pytest.raises(ValueError, match=r"odd.json: tree_depth: .* 16; depth: Extra inputs"):
        TrainingParams.read(tmp_path / "odd.json")


def test_nothing_found_is_no_error() -> None:
    assert figures(np.array([True, False]), np.array([0.2, 0.1])) == {
        **{"pr_auc": 1.0, "precision": 0.0, "recall": 0.0, "f1": 0.0}
    }
