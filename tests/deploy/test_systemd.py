"""deploy/systemd/ml-ids.service, as systemd reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "ml-ids.service"
EXPOSURE = 30
"""In tenths, as `--threshold` takes it: systemd calls up to 4.9 OK, and most services are above 9."""

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    # What it starts is not installed here.
    (tmp_path / UNIT.name).write_text(re.sub(r"/opt/ml-ids/\S*/ml-ids", "/bin/true", UNIT.read_text()))
    told = subprocess.run(
        ["systemd-analyze", "verify", tmp_path / UNIT.name], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")


def test_it_is_hardened() -> None:
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE}", str(UNIT)]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-200:]
