"""data/sample: what its script makes, in the shape of CIC-UNSW-NB15."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np

from flows.schema import COMMON, COMMON_NAMES
from training.describe import describe
from training.sources.read import read_training_data

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sample"
WORMS = 9


def test_its_columns_are_those_of_the_published_set() -> None:
    with (SAMPLE / "Data.csv").open() as file:
        assert next(csv.reader(file)) == [feature.cic_v4 for feature in COMMON]


def test_it_is_read_as_all_ten_classes_and_repeated_rows_are_counted() -> None:
    flows = read_training_data([SAMPLE])
    found = describe(flows)
    assert [each.code for each in found.classes] == [0, *range(20, 29)]
    assert min(each.rows for each in found.classes) > 20
    assert (flows.dialect, flows.names, flows.rows_read) == ("cic-v4", COMMON_NAMES, 2536)
    assert flows.dropped == {"duplicate": 2536 - len(flows)}
    assert np.isfinite(flows.features).all()


def test_its_script_makes_these_rows() -> None:
    code = (
        "import make_sample_set as made\n"
        f"frame = made.frame_of(made.flows_of({WORMS}))\n"
        "print(frame.to_csv(index=False, float_format='%.8g', lineterminator='\\n'), end='')"
    )
    again = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "scripts", capture_output=True, text=True, check=True
    ).stdout.splitlines()
    labels = (SAMPLE / "Label.csv").read_text().splitlines()[1:]
    rows = (SAMPLE / "Data.csv").read_text().splitlines()[1:]
    worms = {_numbers(row) for row, label in zip(rows, labels, strict=True) if label == str(WORMS)}
    assert {_numbers(row) for row in again[1:]} == worms


def _numbers(row: str) -> tuple[float, ...]:
    return tuple(map(float, row.split(",")))
