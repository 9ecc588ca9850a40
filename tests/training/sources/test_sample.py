from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.parquet_files import write_parquet
from flows.table import FlowTable
from helpers.training_tables import labelled_table
from training.dataset import LabelledFlows
from training.sources import read
from training.sources.read import ReadOptions, read_training_data
from training.sources.sample import NOT_SAMPLED, sampled_training_data, shares

ROWS = 3000


def written(folder: Path, flows: FlowTable, *, files: int) -> list[Path]:
    paths = []
    for number in range(files):
        paths.append(folder / f"{files}-{number}.parquet")
        write_parquet(flows.take(slice(number, None, files)), paths[-1])
    return paths


def assert_same(one: LabelledFlows, other: LabelledFlows) -> None:
    assert one.features.tobytes() == other.features.tobytes()
    assert one.codes.tolist() == other.codes.tolist()
    assert one.start_us.tolist() == other.start_us.tolist()


def test_all_rows_are_what_reading_gives(tmp_path: Path) -> None:
    paths = written(tmp_path, labelled_table(ROWS), files=3)
    sample = sampled_training_data(paths, 10 * ROWS, options=ReadOptions())
    whole = read_training_data(paths)
    assert_same(sample, whole)
    assert (sample.rows_read, dict(sample.dropped)) == (whole.rows_read, dict(whole.dropped))


@pytest.mark.parametrize("piece", [50, 1000])
def test_a_sample_is_of_the_rows_not_of_files_order_or_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    flows = labelled_table(ROWS)
    first = sampled_training_data(written(tmp_path, flows, files=1), 300, options=ReadOptions())
    monkeypatch.setattr("flows.parquet_files.ROWS_AT_ONCE", piece)
    mixed = flows.take(np.random.default_rng(1).permutation(len(flows)))
    assert_same(first, sampled_training_data(written(tmp_path, mixed, files=3), 300, options=ReadOptions()))


def test_classes_are_kept_alike_and_every_row_is_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.parquet_files.ROWS_AT_ONCE", 100)
    flows = labelled_table(ROWS)
    paths = written(tmp_path, flows, files=2)
    sample, whole = sampled_training_data(paths, 300, options=ReadOptions()), read_training_data(paths)
    codes, counts = np.unique(sample.codes, return_counts=True)
    assert dict(zip(codes.tolist(), counts.tolist(), strict=True)) == shares(whole.codes, 300)
    assert 290 < len(sample) <= 300
    rows = {row.tobytes() for row in whole.features}
    assert {row.tobytes() for row in sample.features} <= rows
    assert len({row.tobytes() for row in sample.features}) == len(sample)
    assert sample.rows_read == len(flows) == len(sample) + sum(sample.dropped.values())
    assert sample.dropped[NOT_SAMPLED] > 0


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(6, 100))
@settings(deadline=None)
def test_shares_are_even_and_no_more_than_wanted(sizes: list[int], most: int) -> None:
    codes = np.repeat(np.arange(len(sizes)), sizes)
    kept = shares(codes, most)
    assert sum(kept.values()) <= most
    cut = {kept[code] for code, size in enumerate(sizes) if kept[code] < size}
    assert len(cut) <= 1
    if cut:
        assert max(kept.values()) == cut.pop()
        assert sum(kept.values()) > most - len(sizes)


def test_what_cannot_be_read_in_pieces_is_said(tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"flows\.csv: --sample reads Parquet only"):
        sampled_training_data([tmp_path], 1000, options=ReadOptions())
    said = labelled_table(100)
    more = {name: np.full(len(said), "1", object) for name in ("alert_id", "verdict")}
    write_parquet(replace(said, extras=said.extras | more), tmp_path / "said.parquet")
    with pytest.raises(ValueError, match=r"said\.parquet: what people said of alerts"):
        list(read.pieces(tmp_path / "said.parquet", ReadOptions()))
