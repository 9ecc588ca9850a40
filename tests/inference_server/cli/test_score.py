from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from capture.files import read_capture
from detection.package import load_package
from detection.registry import open_champion
from flows.archive_writer import ArchiveWriter
from flows.csv_files import write_csv
from flows.parquet_files import write_parquet
from flows.table import concat_tables
from helpers.models import make_package, typical_table
from inference_server.cli import verdict_files
from inference_server.cli.score import score

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "data" / "demo" / "demo.pcap"
VERDICT_SCHEMA = json.loads((ROOT / "docs" / "verdict.schema.json").read_text())
COLUMNS = [
    *("capture", "src_ip", "src_port", "dst_ip", "dst_port", "protocol"),
    *("start", "label", "p_attack", "p_label"),
]

app = typer.Typer(pretty_exceptions_enable=False)
app.command()(score)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Path:
    """The state of a service that has registered a model."""
    state = tmp_path_factory.mktemp("state")
    open_champion(
        tracking_uri=None,
        state_dir=state,
        model_uri="models:/ml-ids@champion",
        register_starter=False,
        starter=package,
    )
    return state


@pytest.fixture(autouse=True)
def settings(state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_MODEL_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STATE_DIR", str(state_dir))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def expected_labels(package: Path) -> Counter[str]:
    verdicts = load_package(package).score(concat_tables(read_capture(DEMO)))
    return Counter(verdicts.label(row) for row in range(len(verdicts)))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_one_row_a_flow_with_the_scorers_own_answers(tmp_path: Path, package: Path, suffix: str) -> None:
    output = tmp_path / f"verdicts{suffix}"
    result = run(DEMO, "-o", output)
    assert result.exit_code == 0, result.output
    rows = pd.read_csv(output) if suffix == ".csv" else pd.read_parquet(output)
    assert list(rows) == COLUMNS
    assert Counter(rows["label"]) == expected_labels(package)
    assert set(rows["capture"]) == {str(DEMO)}
    unjudged = rows["label"] == "insufficient"
    assert unjudged.any()
    assert rows["p_attack"].isna().tolist() == unjudged.tolist()
    start = rows["start"].astype(str).str.replace("T", " ")
    assert start.str.match(r"2026-01-05 09:0\d:\d\d\.\d{3,6}(Z|\+00:00)").all()


def test_lines_are_verdict_objects(tmp_path: Path, package: Path) -> None:
    run(DEMO, "-o", tmp_path / "verdicts.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    validator = jsonschema.Draft202012Validator(VERDICT_SCHEMA)
    for line in lines:
        validator.validate(line)
    assert Counter(line["label"] for line in lines) == expected_labels(package)
    assert {(line["source"], line["interface"]) for line in lines} == {("file", str(DEMO))}


def test_attacks_are_explained_when_asked_for(tmp_path: Path) -> None:
    write_parquet(typical_table([0, 5, 17]), tmp_path / "flows.parquet")
    result = run(tmp_path / "flows.parquet", "--explain", "-o", tmp_path / "verdicts.jsonl")
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text().splitlines()]
    for line in lines:
        jsonschema.validate(line, VERDICT_SCHEMA)
    assert ["explanation" in line for line in lines] == [False, True, True]


def test_only_lines_have_room_for_explanations(tmp_path: Path) -> None:
    write_parquet(typical_table([0]), tmp_path / "flows.parquet")
    result = run(tmp_path / "flows.parquet", "--explain", "-o", tmp_path / "verdicts.csv")
    assert result.exit_code == 1
    assert "verdicts.csv: --explain needs an output whose name ends in .jsonl" in " ".join(
        result.output.split()
    )
    assert not (tmp_path / "verdicts.csv").exists()


def test_captures_and_flow_files_in_one_run(tmp_path: Path) -> None:
    write_parquet(typical_table([0, 5, 17]), tmp_path / "flows.parquet")
    write_csv(typical_table([5, 5]), tmp_path / "flows.csv", header="snake")
    result = run(
        tmp_path / "flows.parquet", DEMO, tmp_path / "flows.csv", "-o", tmp_path / "verdicts.parquet"
    )
    assert result.exit_code == 0, result.output
    rows = pd.read_parquet(tmp_path / "verdicts.parquet")
    by_input = {Path(name).name: list(part["label"]) for name, part in rows.groupby("capture", sort=False)}
    assert list(by_input) == ["flows.parquet", "demo.pcap", "flows.csv"]
    assert by_input["flows.parquet"] == ["benign", "DoS Hulk", "Portscan"]
    assert by_input["flows.csv"] == ["DoS Hulk", "DoS Hulk"]


def test_an_archive_is_an_input(tmp_path: Path) -> None:
    writer = ArchiveWriter(tmp_path / "flows", 10**9)
    for hour in ("2026-11-21T10", "2026-11-21T11"):
        writer.write(typical_table([0, 5, 17]), hour)
        writer.finish(hour)
    (tmp_path / "flows" / "2026-11-21T12").mkdir()
    (tmp_path / "flows" / "2026-11-21T12" / "0001.parquet").write_bytes(b"torn")
    result = run(tmp_path / "flows", "-o", tmp_path / "verdicts.parquet")
    assert result.exit_code == 0, result.output
    assert "0001.parquet: not a Parquet file" in result.stderr
    assert (
        list(pd.read_parquet(tmp_path / "verdicts.parquet")["label"])
        == ["benign", "DoS Hulk", "Portscan"] * 2
    )


def test_summary_counts_every_label(tmp_path: Path, package: Path) -> None:
    result = run(DEMO, "-o", tmp_path / "verdicts.csv")
    expected = expected_labels(package)
    for label, count in expected.items():
        [line] = [line for line in result.stdout.splitlines() if f" {label} " in line]
        assert f" {count} " in line
    assert f"{expected.total()}" in result.stdout
    assert "3,410 packets" in result.stdout
    assert "ml-ids version 1, threshold 0.5" in result.stdout.replace("\n", " ")


def test_rows_are_written_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdict_files, "ROWS_A_GROUP", 2)
    write_parquet(typical_table([0, 5, 17]), tmp_path / "flows.parquet")
    run(tmp_path / "flows.parquet", tmp_path / "flows.parquet", "-o", tmp_path / "verdicts.parquet")
    assert (
        list(pd.read_parquet(tmp_path / "verdicts.parquet")["label"])
        == ["benign", "DoS Hulk", "Portscan"] * 2
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"MLFLOW_MODEL_NAME": "models:/ml-ids@nobody"}, "has no models:/ml-ids@nobody"),
        ({"MLFLOW_TRACKING_URI": "sqlite:///own.db"}, "REGISTER_STARTER=true"),
        ({"PORT": "many"}, "PORT=many"),
    ],
)
def test_no_model_is_one_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = run(DEMO, "-o", tmp_path / "verdicts.csv")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "verdicts.csv").exists()


def test_flows_without_the_models_features_are_named(tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_text("flow_duration,tot_fwd_pkts\n1,2\n")
    result = run(tmp_path / "flows.csv", "-o", tmp_path / "verdicts.csv")
    assert result.exit_code == 1
    assert "flows.csv" in result.stderr
    assert "tot_bwd_pkts" in result.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.pcap", "No such file"),
        ("absent.csv", "No such file"),
        ("broken.parquet", "not a Parquet file"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_exit_code_1(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "broken.parquet").write_text("no columns here")
    result = run(tmp_path / name, "-o", tmp_path / "verdicts.csv")
    assert result.exit_code == 1
    assert name in result.stderr
    assert message in result.stderr
