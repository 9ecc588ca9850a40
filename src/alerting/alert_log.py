"""alerts.json: every message of every alert, an EVE object a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alerting.alert import AlertRevision
from alerting.eve import eve_line
from alerting.line_file import LineFile, LineFileStatus
from alerting.rotating_file import FILES, MAX_BYTES

NAME: Final = "alerts.json"


class AlertLog:
    """Writes alerts to `directory`; the disk's trouble is counted, not raised."""

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int = MAX_BYTES,
        files: int = FILES,
        span_seconds: float | None = None,
    ) -> None:
        self._file = LineFile(directory / NAME, max_bytes=max_bytes, files=files, span_seconds=span_seconds)

    def write(self, alerts: Sequence[AlertRevision]) -> None:
        """Append messages in one write."""
        self._file.append([eve_line(alert) for alert in alerts])

    def status(self) -> LineFileStatus:
        """Return the file's counters: written + lost are the messages that came."""
        return self._file.status()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
