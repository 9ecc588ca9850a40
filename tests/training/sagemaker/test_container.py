from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detection.package import load_package
from flows.table import FlowTable
from helpers.sagemaker import DEMO, QUICK, laid_out
from training.dataset import LabelledFlows
from training.sagemaker.container import PACKAGE, PYFUNC, read_hyperparameters, train_in_container
from training.sagemaker.folders import FAILED
from training.sagemaker.jobs import METRICS
from training.sources.read import ReadOptions, read_training_data

pytest.importorskip("catboost", reason="CatBoost, an extra, is not installed")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folders after a training, and what it printed."""
    prefix = laid_out(tmp_path_factory.mktemp("ml"), QUICK)
    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        patch.setattr("sys.stdout", _Told(told))
        assert train_in_container(prefix) == 0
    return prefix, "".join(told)


class _Told:
    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> int:
        self._lines.append(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


def test_the_metric_definitions_find_their_lines(trained: tuple[Path, str]) -> None:
    found = {each["Name"]: re.findall(each["Regex"], trained[1]) for each in METRICS}
    assert {name: bool(values) for name, values in found.items()} == dict.fromkeys(found, True)
    assert set(found) == {
        *("train:loss", "val:loss", "val:loss:best"),
        *("test:pr_auc", "test:precision", "test:recall", "test:f1"),
    }
    assert len(found["train:loss"]) == len(found["val:loss"]) == 15
    assert all(0 <= float(value) <= 1 for values in found.values() for value in values)
    assert float(found["val:loss:best"][0]) == pytest.approx(min(map(float, found["val:loss"])))


def test_the_package_answers_as_the_mlflow_model(trained: tuple[Path, str]) -> None:
    import mlflow.pyfunc

    model = trained[0] / "model"
    assert not (trained[0] / "output" / "failure").exists()
    flows = odd_flows()
    frame = pd.DataFrame(flows.features, columns=list(flows.names))
    theirs = mlflow.pyfunc.load_model(str(model / PYFUNC)).predict(frame)
    ours = load_package(model / PACKAGE).score(
        FlowTable.from_features(flows.features, flows.names, flows.dialect)
    )
    assert ours.is_attack.astype(float).tolist() == theirs.tolist()
    assert set(theirs.tolist()) == {0.0, 1.0}


def odd_flows() -> LabelledFlows:
    """Flows with what both must take for missing."""
    flows = read_training_data([DEMO], options=ReadOptions(keep_duplicates=True))
    flows.features[0::7, 3::5] = np.nan
    flows.features[1::7, 3::5] = np.inf
    flows.features[2::7, 3::5] = -np.inf
    flows.features[3::7, 3::5] = -5.0
    return flows


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda prefix: (prefix / "input/data/validation/val.h5").unlink(), "give the channel validation"),
        (lambda prefix: (prefix / "input/data/training/train.h5").write_text("x"), "train.h5"),
        (lambda prefix: (prefix / "input/config/hyperparameters.json").write_text("["), "not JSON"),
        (lambda prefix: (prefix / "input/config/hyperparameters.json").write_text("[]"), "not an object"),
        (
            lambda prefix: (prefix / "input/config/hyperparameters.json").write_text('{"tree_depth": "x"}'),
            "tree_depth: Input should be a valid integer",
        ),
        (
            lambda prefix: (prefix / "input/config/hyperparameters.json").write_text('{"depth": "3"}'),
            "depth: Extra inputs are not permitted",
        ),
    ],
)
def test_a_failure_is_told_where_sagemaker_looks(tmp_path: Path, break_it: object, words: str) -> None:
    prefix = laid_out(tmp_path, QUICK)
    assert callable(break_it)
    break_it(prefix)
    assert train_in_container(prefix) == FAILED
    told = (prefix / "output" / "failure").read_text()
    assert words in told.splitlines()[0]
    assert "Traceback" in told
    assert not (prefix / "model").exists()


def test_a_job_without_parameters_has_the_defaults(tmp_path: Path) -> None:
    assert read_hyperparameters(tmp_path / "none.json").nr_iterations == 1000
