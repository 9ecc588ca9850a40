"""The notebooks run, on the sample set, and hold outputs such as that run gives."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def kinds(path: Path) -> list[list[str]]:
    """What each code cell printed and showed."""
    cells: list[Any] = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [
        [each.get("name") or "/".join(sorted(each.get("data", [each.output_type]))) for each in cell.outputs]
        for cell in cells
    ]


def test_there_are_four() -> None:
    assert [path.stem for path in NOTEBOOKS] == [
        "cic-unsw-nb15_exploratory_analysis",
        "feature_engineering",
        "model_selection",
        "model_training",
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_was_run(notebook: Path, tmp_path: Path) -> None:
    path = tmp_path / notebook.name
    shutil.copy(notebook, path)
    ran = subprocess.run(
        [sys.executable, ROOT / "scripts" / "run_notebooks.py", path],
        env=os.environ | {"DATA": str(ROOT / "data" / "sample")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert kinds(path) == kinds(notebook)
    printed = {name for cell in kinds(notebook) for name in cell}
    assert "stderr" not in printed
    assert "text/html/text/plain" in printed
