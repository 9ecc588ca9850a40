from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from capture.files import read_capture
from flows.parquet_files import read_parquet
from flows.table import concat_tables
from helpers.bulk import capture_bytes, packed
from helpers.models import make_package
from inference_server.bulk.captures import find_captures
from inference_server.bulk.engines import Work, score_here
from inference_server.bulk.packed_model import PackedModel
from inference_server.bulk.scoring import Outcome

DEMO = Path(__file__).resolve().parents[3] / "data" / "demo" / "demo.pcap"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PackedModel:
    return packed(make_package(tmp_path_factory.mktemp("package")))


def run(folder: Path, model: PackedModel) -> list[Outcome]:
    """Score what is in a folder as the command does."""
    captures = tuple(find_captures([f"{folder}/*.pcap"]))
    work = Work(captures, model, str(folder / "out"))
    kept = work.done_before()
    left = tuple(each for each in captures if each not in {outcome.capture for outcome in kept})
    return [*kept, *score_here(Work(left, model, work.output))]


def states(outcomes: list[Outcome]) -> dict[str, str]:
    return {Path(outcome.capture.url).name: outcome.state for outcome in outcomes}


def test_a_file_has_the_flows_of_its_capture_with_the_scorers_verdicts(
    tmp_path: Path, model: PackedModel
) -> None:
    (tmp_path / "demo.pcap").write_bytes(DEMO.read_bytes())
    (outcome,) = run(tmp_path, model)
    table, metered = read_parquet(tmp_path / "out" / "demo.pcap.parquet"), concat_tables(read_capture(DEMO))
    verdicts = model.scorer().score(metered)
    assert table.features.tobytes() == metered.features.tobytes()
    assert table.extras["p_attack"].tobytes() == verdicts.p_attack.tobytes()
    assert table.extras["p_label"].tobytes() == verdicts.p_label.tobytes()
    assert table.extras["verdict"].tolist() == verdicts.labels().tolist()
    assert set(table.extras["interface"]) == {str(tmp_path / "demo.pcap")}
    assert len(np.unique(table.flow_uid)) == len(table)
    assert outcome.result is not None
    assert (outcome.result.packets, sum(outcome.result.labels.values())) == (3410, len(table))


def test_the_same_again_gives_the_same_bytes(tmp_path: Path, model: PackedModel) -> None:
    (tmp_path / "a.pcap").write_bytes(capture_bytes())
    result = tmp_path / "out" / "a.pcap.parquet"
    run(tmp_path, model)
    first = result.read_bytes()
    result.unlink()
    run(tmp_path, model)
    assert result.read_bytes() == first


def test_what_is_done_is_kept_and_what_changed_is_done_again(tmp_path: Path, model: PackedModel) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.pcap").write_bytes(capture_bytes())
    assert states(run(tmp_path, model)) == {"a.pcap": "scored", "b.pcap": "scored"}
    assert states(run(tmp_path, model)) == {"a.pcap": "kept", "b.pcap": "kept"}
    (tmp_path / "b.pcap").write_bytes(capture_bytes(1))
    os.utime(tmp_path / "b.pcap", (1, 1))
    assert states(run(tmp_path, model)) == {"a.pcap": "kept", "b.pcap": "scored"}
    (tmp_path / "out" / "a.pcap.parquet").write_bytes(b"something else")
    assert states(run(tmp_path, model)) == {"a.pcap": "scored", "b.pcap": "kept"}


def test_another_model_or_threshold_does_all_again(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, model: PackedModel
) -> None:
    (tmp_path / "a.pcap").write_bytes(capture_bytes())
    folder = tmp_path_factory.mktemp("packages")
    other = packed(make_package(folder, seed=1))
    threshold = PackedModel("ml-ids", "1", 0.75, False, model.files)
    for each in (model, other, threshold, packed(folder / "package", version="2")):
        assert states(run(tmp_path, each)) == {"a.pcap": "scored"}
        assert states(run(tmp_path, each)) == {"a.pcap": "kept"}


def test_a_broken_capture_is_named_and_the_others_are_scored(tmp_path: Path, model: PackedModel) -> None:
    (tmp_path / "a.pcap").write_bytes(b"junk")
    (tmp_path / "b.pcap").write_bytes(capture_bytes())
    (tmp_path / "c.pcap").write_bytes(capture_bytes()[:-5])
    failed, scored, cut = run(tmp_path, model)
    assert (failed.state, scored.state, cut.state) == ("failed", "scored", "scored")
    assert failed.problem.startswith(f"{tmp_path}/a.pcap: not a pcap")
    assert not (tmp_path / "out" / "a.pcap.parquet").exists()
    assert cut.result is not None
    assert len(cut.result.warnings) == 1
    assert "c.pcap" in cut.result.warnings[0]


def test_a_capture_without_a_flow_has_an_empty_file(tmp_path: Path, model: PackedModel) -> None:
    (tmp_path / "a.pcap").write_bytes(capture_bytes()[:24])
    (outcome,) = run(tmp_path, model)
    assert outcome.state == "scored"
    assert len(read_parquet(tmp_path / "out" / "a.pcap.parquet")) == 0
    assert states(run(tmp_path, model)) == {"a.pcap": "kept"}


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path, model: PackedModel) -> None:
    (tmp_path / "a.pcap").write_bytes(capture_bytes())
    (tmp_path / "out").write_bytes(b"a file")
    (outcome,) = run(tmp_path, model)
    assert outcome.state == "failed"
    assert outcome.problem.startswith(f"{tmp_path}/a.pcap: ")
