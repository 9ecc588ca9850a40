"""Every folder here is a case: a capture, what must come of it, and a README that says why.

test.yaml:
    flows: how many flows the capture has
    labels: how many of them the starter model gives each label
    problem: part of the message about a capture that is broken, left out for whole ones
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from capture.files import CaptureFile
from detection.package import load_package
from detection.registry import STARTER
from detection.scorer import Scorer

ROOT = Path(__file__).resolve().parents[2]
CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/test.yaml"))


@pytest.fixture(scope="module")
def starter() -> Scorer:
    return load_package(STARTER)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path, starter: Scorer) -> None:
    expected: dict[str, Any] = yaml.safe_load((case / "test.yaml").read_text())
    capture = CaptureFile(case / "input.pcap")
    verdicts = [starter.score(table) for table in capture.tables()]
    labels = Counter(batch.label(row) for batch in verdicts for row in range(len(batch)))
    assert labels.total() == expected["flows"]
    assert dict(labels) == expected["labels"]
    assert expected.get("problem", "") in (capture.problem or "")
    assert (capture.problem is None) == ("problem" not in expected)


def test_every_folder_is_a_case_with_a_reason() -> None:
    folders = [path for path in Path(__file__).parent.iterdir() if (path / "input.pcap").exists()]
    assert sorted(folders) == CASES
    assert [path.name for path in folders if not (path / "README.md").read_text().strip()] == []


def test_the_starter_calls_every_attack_of_the_demo_and_nothing_else(starter: Scorer) -> None:
    for table in CaptureFile(ROOT / "data" / "demo" / "demo.pcap").tables():
        from_attacker = [str(table.source(row)).startswith("203.0.113.") for row in range(len(table))]
        assert starter.score(table).is_attack.tolist() == from_attacker
