"""The labelled flows as a file, whose readers are the project's own."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from alerting.book.book import AlertBook
from flows.csv_files import CsvFlowWriter
from flows.dialects import IMPROVED
from flows.parquet_files import write_parquet
from flows.table import FlowTable

Format = Literal["parquet", "csv"]
MEDIA_TYPES: Final[Mapping[Format, str]] = {"parquet": "application/vnd.apache.parquet", "csv": "text/csv"}


@dataclass(frozen=True, slots=True)
class LabelsFile:
    """A file's content, how many flows it has, and how many labelled ones it has not."""

    content: bytes
    flows: int
    left_out: int


def labels_file(book: AlertBook, layout: Format, dialect: str | None) -> LabelsFile:
    """Return the labelled flows of a dialect, None: `improved`."""
    export = book.labelled(dialect or IMPROVED)
    content = _parquet(export.table) if layout == "parquet" else _csv(export.table)
    return LabelsFile(content, len(export.table), export.left_out)


def _parquet(table: FlowTable) -> bytes:
    with tempfile.TemporaryDirectory(prefix="ml-ids-labels-") as folder:
        path = Path(folder) / "labels.parquet"
        write_parquet(table, path)
        return path.read_bytes()


def _csv(table: FlowTable) -> bytes:
    target = io.BytesIO()
    with CsvFlowWriter(target) as writer:
        writer.write(table)
    return target.getvalue()
