"""The prediction logs: one JSON object a line, one file for each kind of verdict."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from alerting.line_file import LineFile, LineFileStatus
from alerting.rotating_file import FILES, MAX_BYTES
from flows.table import FlowTable
from flows.verdict_record import verdict_records
from flows.verdicts import Verdicts

POSITIVE: Final = "positive_predictions.log"
NEGATIVE: Final = "negative_predictions.log"
INSUFFICIENT: Final = "insufficient_predictions.log"


class PredictionLog:
    """Writes verdicts to `directory`; benign ones only when `negatives` is set.

    Flows the model cannot judge have a file of their own, so that a tail of the positive log shows
    attacks only. Nothing here raises for a file's sake: see `LineFile`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        negatives: bool = False,
        max_bytes: int = MAX_BYTES,
        files: int = FILES,
        span_seconds: float | None = None,
    ) -> None:
        names = [POSITIVE, INSUFFICIENT, *([NEGATIVE] if negatives else [])]
        self._files = {
            name: LineFile(directory / name, max_bytes=max_bytes, files=files, span_seconds=span_seconds)
            for name in names
        }

    def wanted(self, verdicts: Verdicts) -> NDArray[np.bool_]:
        """Return which of n verdicts have a file to go to."""
        if NEGATIVE in self._files:
            return np.ones(len(verdicts), np.bool_)
        return verdicts.is_attack | verdicts.insufficient

    def write(self, table: FlowTable, verdicts: Verdicts, source: str) -> None:
        """Write the wanted verdicts of a table; `source` says who asked (sidecar, api)."""
        for name, rows in self._split(verdicts).items():
            if rows.any():
                records = verdict_records(table.take(rows), verdicts.take(rows), source=source)
                self._files[name].append([_line(record) for record in records])

    def status(self) -> tuple[LineFileStatus, ...]:
        """Return every file's counters."""
        return tuple(file.status() for file in self._files.values())

    def close(self) -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def _split(self, verdicts: Verdicts) -> dict[str, NDArray[np.bool_]]:
        kinds = {
            POSITIVE: verdicts.is_attack,
            INSUFFICIENT: verdicts.insufficient,
            NEGATIVE: ~(verdicts.is_attack | verdicts.insufficient),
        }
        return {name: kinds[name] for name in self._files}


def _line(record: dict[str, Any]) -> bytes:
    return orjson.dumps(record, option=orjson.OPT_SERIALIZE_NUMPY)
