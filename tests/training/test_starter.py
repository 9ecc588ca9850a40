from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from capture.files import read_capture
from detection.package import load_package
from detection.promotion_gate import AGREED
from detection.registry import STARTER
from flows.labels import BY_CODE
from flows.parquet_files import write_parquet
from flows.schema import COMMON_NAMES
from flows.table import FlowTable, concat_tables
from helpers.flows import SHARED, needs_shared
from helpers.labelled import CAPTURES, capture_folder
from helpers.models import CLASSES, made_up_flows
from training.capture_set import read_captures
from training.captures import figures, score_captures
from training.recipe import Recipe
from training.starter import main

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
DEMO = Path(__file__).resolve().parents[2] / "data" / "demo" / "demo.pcap"


@dataclass
class Inputs:
    data: Path
    captures: Path


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("inputs")
    features, codes = made_up_flows(300)
    labels = np.array([BY_CODE[code].name for code in codes.tolist()], object)
    times = np.arange(300) * 60_000_000
    addresses = np.zeros((300, 16), np.uint8)
    addresses[:, 15] = np.arange(300) // 7 % 3 + 1
    table = FlowTable.from_features(
        *(features, COMMON_NAMES, "improved"),
        start_us=times,
        end_us=times,
        src_addr=addresses,
        dst_addr=addresses + np.uint8(1),
        extras={"label": labels},
    )
    write_parquet(table, folder / "flows.parquet")
    return Inputs(folder / "flows.parquet", capture_folder(folder))


@pytest.fixture(scope="module", autouse=True)
def _small() -> Iterator[None]:
    """The recipe of few trees: what is tested is not how good it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.starter.Recipe", lambda kind: Recipe(kind, {"trees": 8, "folds": 2}))
        patch.setattr("training.report.importance.REPEATS", 1)
        yield


@pytest.fixture(scope="module")
def package(inputs: Inputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "starter"
    main(inputs.data, inputs.captures, out, report=out.parent / "report")
    assert (out.parent / "report" / "README.md").exists()
    return out


def test_makes_a_package_that_serves(package: Path) -> None:
    scorer = load_package(package)
    assert scorer.record.classes == CLASSES
    assert scorer.record.features == COMMON_NAMES
    flagged = [
        scorer.score(table).is_attack
        for path in (REFERENCE / name for name in CAPTURES[:2])
        for table in read_capture(path)
    ]
    assert np.concatenate(flagged).mean() <= 0.002


def test_the_card_shows_what_was_measured(package: Path) -> None:
    card, record = (package / "card.md").read_text(), load_package(package).record
    assert f"{record.threshold:.6f}" in card
    assert record.schema_id in card
    assert f"| DoS Hulk | 30 | {record.figures['random split/DoS Hulk/precision']:.3f} (" in card
    assert {agreed.name for agreed in AGREED} <= record.figures.keys()
    assert len(record.measured_on) == 64
    assert f"**{record.figures['attack captures/flagged of all flows']:.2%}** over flows" in card
    for citation in ("ICISSP 2018", "WTMC 2021", "CNS 2022"):
        assert citation in card


def test_mlflow_finds_the_estimator_from_the_top(package: Path) -> None:
    import mlflow.sklearn
    import pandas as pd

    pipeline = mlflow.sklearn.load_model(str(package))
    features, _ = made_up_flows(20, seed=9)
    theirs = pipeline.predict_proba(pd.DataFrame(features, columns=list(COMMON_NAMES)))
    assert np.abs(load_package(package).probabilities(features) - theirs).max() <= 1e-12


def test_the_served_files_can_be_made_again(package: Path, inputs: Inputs, tmp_path: Path) -> None:
    main(inputs.data, inputs.captures, tmp_path / "again")
    one, other = (
        json.loads((folder / "manifest.json").read_text())["sha256"]
        for folder in (package, tmp_path / "again")
    )
    for name in ("compiled/model.npz", "compiled/golden.npz", "record.json", "card.md"):
        assert one[name] == other[name]


def test_the_starter_that_ships_serves() -> None:
    scorer = load_package(STARTER)
    assert scorer.record.features == COMMON_NAMES
    assert scorer.record.dialect == "improved"
    assert scorer.record.classes[0] == 0
    assert len(scorer.record.classes) == 16
    assert "improved" in (STARTER / "card.md").read_text()


def test_the_starter_that_ships_is_small_and_whole() -> None:
    files = {path.relative_to(STARTER).as_posix(): path for path in STARTER.rglob("*") if path.is_file()}
    assert sum(path.stat().st_size for path in files.values()) < 4_000_000
    listed = json.loads(files.pop("manifest.json").read_text())["sha256"]
    assert set(listed) == set(files)
    assert {"MLmodel", "model/MLmodel", "model/model.skops", "card.md"} <= set(files)


def test_the_starter_flags_few_benign_flows_by_its_own_card() -> None:
    scorer, card = load_package(STARTER), (STARTER / "card.md").read_text()
    row = re.search(r"\| benign \|.*", card)
    assert row is not None
    *_, of_all, of_scored, _ = (cell.strip() for cell in row[0].split("|"))
    assert float(of_all.rstrip("%")) <= float(of_scored.rstrip("%")) <= 0.2
    figures = scorer.record.figures
    assert figures["benign captures/flagged of scored flows"] <= 0.002
    assert figures["time-ordered split/macro f1"] > 0.95
    assert {agreed.name for agreed in AGREED} <= figures.keys()


@needs_shared
@pytest.mark.parametrize("kind", ["benign", "attack"])
def test_the_card_is_true_of_the_meter_as_it_is(kind: str) -> None:
    scorer = load_package(STARTER)
    captures = read_captures(SHARED / "pcaps", COMMON_NAMES)
    of_kind = [capture for capture in captures if capture.entry.kind == kind]
    measured = figures(score_captures(of_kind, scorer), scorer.record.threshold)
    row = next(row for row in (STARTER / "card.md").read_text().splitlines() if row.startswith(f"| {kind} |"))
    _, _, *counts, of_all, of_scored, _ = (cell.strip() for cell in row.split("|"))
    shown = [int(count.replace(",", "")) for count in counts]
    assert shown == [
        *(measured.captures, measured.flows, measured.insufficient, measured.scored, measured.flagged),
    ]
    assert (of_all, of_scored) == (f"{measured.share:.3%}", f"{measured.scored_share:.3%}")
    assert kind == "attack" or measured.scored_share <= 0.002


def test_the_starter_tells_the_demo_captures_attacks_from_the_rest() -> None:
    verdicts = load_package(STARTER).score(concat_tables(read_capture(DEMO)))
    assert verdicts.is_attack.any()
    assert (~verdicts.is_attack & ~verdicts.insufficient).any()
