from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from clients.rest_client.dataset import read_dataset
from flows.labels import find_label
from flows.schema import COMMON_NAMES

ROOT = Path(__file__).resolve().parents[2]
PATH = ROOT / "data" / "demo" / "test.h5"


def test_it_is_what_its_script_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "make_demo_h5.py", tmp_path], check=True)
    assert (tmp_path / PATH.name).read_bytes() == PATH.read_bytes()


def test_it_has_the_sets_columns_and_several_attacks() -> None:
    dataset = read_dataset(PATH, PATH.name)
    assert [*dataset.flows.columns] == ["dst_port", "protocol", "timestamp", *COMMON_NAMES]
    codes = {find_label(label).code for label in dataset.categories}
    assert 0 in codes
    assert len(codes) >= 6
    assert PATH.stat().st_size < 1_000_000
