"""Which flows of sensors the prediction logs have already: what a kill came between, log and mark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from alerting.prediction_log import INSUFFICIENT, NEGATIVE, POSITIVE
from alerting.rotating_file import rotated_files
from inference_server.alerts import SIDECAR

TAIL_BYTES: Final = 64_000_000
"""Of each log: what is scored at once has fewer lines."""

_CAPTURED: Final = f'"source":"{SIDECAR}"'.encode()

Flows = set[tuple[int, int]]
"""Uid and revision of flows."""


def logged_flows(log_dir: Path, *, but: str) -> dict[str, Flows]:
    """Return the flows at the end of the logs, by sensor; those of sensor `but` are left out."""
    found: dict[str, Flows] = {}
    own = b'"sensor":' + orjson.dumps(but)
    for name in (POSITIVE, INSUFFICIENT, NEGATIVE):
        for line in _last_lines(rotated_files(log_dir / name), TAIL_BYTES):
            if _CAPTURED not in line or own in line:
                continue
            try:
                record = orjson.loads(line)
                flow = int(record["flow_uid"], 16), int(record["revision"])
                found.setdefault(record["sensor"], set()).add(flow)
            except (ValueError, KeyError):  # a torn line
                continue
    return found


def _last_lines(paths: list[Path], size: int) -> Iterator[bytes]:
    """Yield the lines of the last bytes of files, the newest file first."""
    for path in paths:
        try:
            with path.open("rb") as file:
                start = max(file.seek(0, 2) - size, 0)
                file.seek(start)
                if start:
                    file.readline()
                yield from file
                size -= file.tell() - start
        except FileNotFoundError:
            return
        if size <= 0:
            return
