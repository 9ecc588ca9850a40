from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from context.notes import NOTES
from detection.registry import Registry
from flows.kdd99 import FEATURES, features_of
from flows.kdd99_files import COLUMNS
from flows.labels import BY_CODE
from flows.parquet_files import write_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.archive import archive_flows
from helpers.kdd99 import EXAMPLE, NMAP, SMURF
from helpers.models import CLASSES, made_up_flows
from helpers.packets import connection, pcap, write_capture
from helpers.registry import make_registry
from helpers.web_files import web_files
from inference_server.cli import app

FLOOD = 100_000
"""So many times the benign features: the champion calls that an attack."""


def flows(
    count: int, seed: int, *, classes: tuple[int, ...] = CLASSES, dialect: str = "improved"
) -> FlowTable:
    """Return labelled flows of the last hour."""
    features, codes = made_up_flows(count, seed=seed, classes=classes)
    start = int(time.time() * 1e6) - 3_600_000_000 + np.arange(count) * (3_000_000_000 // count)
    labels = np.array([BY_CODE[code].name for code in codes.tolist()], object)
    return FlowTable.from_features(
        features, COMMON_NAMES, dialect, start_us=start, end_us=start + 60_000_000, extras={"label": labels}
    )


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A STATE_DIR with a champion and an archive whose flows are benign but unlike those of the base set."""
    state = make_registry(tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("scratch"))
    own = flows(400, 5, classes=(0,))
    own.features[:] *= FLOOD
    archive_flows(state, own)
    return state


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "base.parquet"
    write_parquet(flows(300, 6), path)
    return path


@pytest.fixture(autouse=True)
def settings(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIR", str(state))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *(str(argument) for argument in arguments)])


def test_own_traffic_makes_a_challenger_that_knows_it(state: Path, base: Path, tmp_path: Path) -> None:
    result = run("--data", base, "--last", "24h")
    assert result.exit_code == 0, result.output
    assert "flags 0.000% of the 120 latest flows of the baseline" in result.stdout
    [before] = re.findall(r"\(the model that serves: ([\d.]+)%\)", result.stdout)
    assert float(before) > 50
    assert "models:/ml-ids/2 is @challenger" in result.stdout
    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    found = registry.alias("ml-ids", "challenger")
    assert found
    scorer = registry.load(found, tmp_path)
    later = flows(200, 8, classes=(0,))
    later.features[:] *= FLOOD
    assert scorer.score(later).is_attack.mean() < 0.05
    mixed = flows(300, 9)
    attacks = mixed.take(mixed.extras["label"] != "Benign")
    assert scorer.score(attacks).is_attack.mean() > 0.9
    assert scorer.record.figures["baseline/benign flagged"] == 0.0


def test_a_model_that_reads_context_is_trained_and_judges_captures(tmp_path: Path) -> None:
    table = flows(300, 6)
    notes = {name: np.ones(300, np.int32) for name in NOTES}
    write_parquet(replace(table, extras=table.extras | notes), tmp_path / "base.parquet")
    asked = ("--data", tmp_path / "base.parquet", "--context", "--name", "context")
    result = run(*asked, "--estimator", "cnn")
    assert result.exit_code == 1
    assert "--context: name an --estimator that reads NaN: stacked, stacked-five, " in result.output
    result = run(*asked, "--last", "24h", "--estimator", "decision-tree")
    assert "--context goes without --baseline, --last and --labels" in result.output
    result = run(*asked, "--estimator", "stacked", "--param", "trees=5", "--param", "folds=2")
    assert result.exit_code == 0, result.output
    capture = write_capture(tmp_path / "c.pcap", pcap([*connection(), *connection(1_000_000, port=40001)]))
    out = tmp_path / "report.json"
    found = CliRunner().invoke(app, ["evaluate", str(capture), "--model", "context/1", "-o", str(out)])
    assert found.exit_code == 0, found.output
    assert json.loads(out.read_text())["unlabelled"]["flows"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--baseline", "nothing.pcap"), "nothing.pcap"),
        (("--estimator", "boost"), "no estimator boost; there are stacked, stacked-five"),
        (("--param", "tres=3"), "stacked has no parameter tres; its parameters are trees, depth"),
        (("--param", "nothing.json"), "nothing.json: No such file"),
        (("--labels", "feedback"), "alerts.db: no"),
    ],
)
def test_what_cannot_be_done_is_one_line(base: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run("--data", base, *arguments)
    assert result.exit_code == 1
    assert message in result.stderr


def test_labelled_flows_join_the_base_set(base: Path, tmp_path: Path) -> None:
    write_parquet(flows(30, 11), tmp_path / "labels.parquet")
    result = run("--data", base, "--data", tmp_path / "labels.parquet", "--last", "24h")
    assert result.exit_code == 0, result.output
    assert "is @challenger" in result.stdout


def test_flows_of_another_dialect_are_no_baseline(base: Path, tmp_path: Path) -> None:
    write_parquet(flows(200, 7, classes=(0,), dialect="cic-2017"), tmp_path / "own.parquet")
    result = run("--data", base, "--baseline", tmp_path / "own.parquet")
    assert result.exit_code == 1
    assert "200 flows of another dialect left out: the base set is of improved" in result.stderr
    assert "the baseline has 0 flows that a model can judge" in result.stderr


def test_any_estimator_becomes_a_challenger_without_own_traffic(
    state: Path, base: Path, tmp_path: Path
) -> None:
    (tmp_path / "params.json").write_text('{"leaf": 2, "depth": 4}')
    result = run(
        *("--data", base, "--estimator", "decision-tree", "--param", tmp_path / "params.json"),
        *("--param", "depth=6", "--binary", "--seed", 7, "--name", "another"),
    )
    assert result.exit_code == 0, result.output
    assert "models:/another/1: threshold" in result.stdout
    assert "benign flows held out" in result.stdout
    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    found = registry.alias("another", "challenger")
    assert found
    assert registry.load(found, tmp_path).record.class_names == ("Benign", "Attack")
    with registry.client() as client:
        [logged] = client.search_runs([client.get_experiment_by_name("another").experiment_id])
    assert (
        logged.data.params.items()
        >= {
            **{"estimator": "decision-tree", "seed": "7", "binary": "true", "param/depth": "6"},
            **{"param/leaf": "2", "data": str(base), "flows": "300"},
        }.items()
    )
    assert len(logged.data.tags["data_sha256"]) == 64
    assert logged.data.tags["git_commit"]
    assert logged.data.tags["version/scikit-learn"]
    assert logged.data.metrics["time-ordered split/macro f1"] > 0.9


def test_a_search_ends_in_time_and_its_parameters_are_the_models(base: Path) -> None:
    result = run(
        *("--data", base, "--estimator", "decision-tree", "--search", 3, "--search-seconds", 60),
        *("--param", "depth=1", "--name", "searched"),
    )
    assert result.exit_code == 0, result.output
    assert "searching for parameters, at most 3 trials and 60 s" in result.stderr
    [quality] = re.findall(r"macro F1 ([\d.]+)", result.stdout)
    # A tree of one split cannot tell three classes apart.
    assert float(quality) > 0.8


def test_connections_of_kdd99_make_the_model_of_its_clients(state: Path, tmp_path: Path) -> None:
    full = dict.fromkeys(COLUMNS, "0") | {"service": "http"}
    lines = [
        ",".join([*(str((full | kind | {"duration": number})[name]) for name in COLUMNS), label])
        for number in range(40)
        for kind, label in ((EXAMPLE, "normal."), (SMURF, "smurf."), (NMAP, "nmap."))
    ]
    (tmp_path / "kddcup.data").write_text("\n".join(lines) + "\n")
    result = run("--data", tmp_path / "kddcup.data", "--estimator", "decision-tree")
    assert result.exit_code == 0, result.output
    assert "models:/kdd99/1 is @challenger" in result.stdout
    registry = Registry(tracking_uri=None, state_dir=state, register_starter=False)
    found = registry.alias("kdd99", "challenger")
    assert found
    scorer = registry.load(found, tmp_path)
    assert scorer.missing(FEATURES) == ()
    rows = np.array([features_of(EXAMPLE), features_of(SMURF), features_of(NMAP)])
    table = FlowTable.from_features(rows, FEATURES, scorer.record.dialect)
    assert scorer.score(table).code.tolist() == [0, 22, 30]


def test_data_and_labels_may_be_elsewhere(state: Path, base: Path, tmp_path: Path) -> None:
    more = flows(30, 9)
    write_parquet(more, tmp_path / "labels.parquet")
    with web_files() as web:
        web.files |= {
            "/base.parquet": base.read_bytes(),
            "/more.parquet": (tmp_path / "labels.parquet").read_bytes(),
        }
        result = run(
            *("--data", f"{web.url}/base.parquet", "--labels", f"{web.url}/more.parquet"),
            *("--estimator", "decision-tree", "--name", "from-elsewhere"),
        )
    assert result.exit_code == 0, result.output
    assert f"30 labelled flows of {web.url}/more.parquet join 300 of the base set" in result.stderr
    assert len(list((state / "data").rglob("*.parquet"))) == 2
