"""make train: which data it takes, by what it would run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SETS = (
    "CIC-IDS2017/Data.csv",
    "CIC-UNSW-NB15/Data.csv",
    "CSE-CIC-IDS2018/day.csv.gz",
    "lab/crowd-101.parquet",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile, where everything is set up and no data are."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "pyproject.toml", ".venv/.setup-complete"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def put(clone: Path, *names: str) -> None:
    for name in names:
        path = clone / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def trained_on(clone: Path, *variables: str) -> str:
    ran = subprocess.run(
        ["make", "--dry-run", "train", *variables], cwd=clone, capture_output=True, text=True, check=True
    )
    return ran.stdout


@pytest.mark.parametrize("first", range(len(SETS)))
def test_the_first_folder_that_holds_data_is_taken(clone: Path, first: int) -> None:
    put(clone, "CIC-IDS2017/DATASET_DETAILS.md", *SETS[first:])
    folder = f"data/{SETS[first].partition('/')[0]}"
    assert f"ml-ids train --data '{folder}'" in trained_on(clone)


def test_data_may_be_named(clone: Path) -> None:
    put(clone, *SETS)
    said = trained_on(clone, "DATA=a.csv https://host/b.csv#sha256=c", "TRAIN=--binary")
    assert "ml-ids train --data 'a.csv' --data 'https://host/b.csv#sha256=c' --binary" in said


def test_what_ships_is_found() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "train"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "ml-ids train --data 'data/lab'" in said
