from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from alerting.prediction_log import INSUFFICIENT, NEGATIVE, POSITIVE, PredictionLog
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.flows import flow_table, verdicts_for

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "verdict.schema.json").read_text())


def _mixed() -> tuple[FlowTable, Verdicts]:
    """Rows: Portscan, benign, insufficient, DoS Hulk."""
    table = flow_table(4)
    return table, verdicts_for(table, [17, 0, 0, 5], insufficient=np.array([False, False, True, False]))


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_kind_of_verdict_has_its_file(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, negatives=True)
    log.write(*_mixed(), source="sidecar")
    log.close()
    found = {path.name: [line["src_port"] for line in _lines(path)] for path in tmp_path.iterdir()}
    assert found == {POSITIVE: [40000, 40003], NEGATIVE: [40001], INSUFFICIENT: [40002]}


def test_benign_flows_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    table, verdicts = _mixed()
    assert log.wanted(verdicts).tolist() == [True, False, True, True]
    log.write(table, verdicts, source="sidecar")
    log.close()
    assert {path.name for path in tmp_path.iterdir()} == {POSITIVE, INSUFFICIENT}


def test_lines_are_verdict_objects(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, negatives=True)
    log.write(*_mixed(), source="api")
    log.close()
    lines = [line for path in tmp_path.iterdir() for line in _lines(path)]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    assert {line["source"] for line in lines} == {"api"}
    (hulk,) = [line for line in lines if line["label"] == "DoS Hulk"]
    assert (hulk["src_ip"], hulk["dst_port"], hulk["prediction"]) == ("10.0.0.1", 443, 5)


def test_files_are_rotated_and_private(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=20_000, files=2)
    table = flow_table(1)
    for _ in range(30):
        log.write(table, verdicts_for(table, [17]), source="sidecar")
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == [POSITIVE, f"{POSITIVE}.1"]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o640 for path in files)
    assert all(path.stat().st_size <= 20_000 and _lines(path) for path in files)


@pytest.mark.parametrize("obstacle", ["full disk", "directory in the way"])
def test_lines_that_cannot_be_written_are_counted(tmp_path: Path, obstacle: str) -> None:
    if obstacle == "full disk":
        (tmp_path / POSITIVE).symlink_to("/dev/full")
    else:
        (tmp_path / POSITIVE).mkdir()
    log = PredictionLog(tmp_path)
    log.write(*_mixed(), source="sidecar")
    log.close()
    status = {file.name: (file.written, file.lost, file.error) for file in log.status()}
    assert status[POSITIVE][:2] == (0, 2)
    assert status[POSITIVE][2]
    assert status[INSUFFICIENT] == (1, 0, None)
