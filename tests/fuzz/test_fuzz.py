"""The short version of run.py, and what earlier runs found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fuzz.outcomes import outcome
from fuzz.run import UNAVAILABLE
from fuzz.seeds import seeds
from fuzz.targets import TARGETS

SECONDS = 10
RUN = Path(__file__).with_name("run.py")


def test_fuzzing_for_a_short_while_is_clean(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, RUN, "--seconds", str(SECONDS), "--state", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode == UNAVAILABLE:
        pytest.skip(answer.stdout.strip())
    assert answer.returncode == 0, answer.stdout + answer.stderr
    executions = [
        int(line.split()[1].replace(",", "")) for line in answer.stdout.splitlines()[: len(TARGETS)]
    ]
    assert min(executions) > 20
    assert "0 differ from interpreted" in answer.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_earlier_findings_have_outcomes(target: str) -> None:
    found = [outcome(target, data) for data in seeds(target)]
    assert sum(one.get("rows", 0) for one in found) > 50
