"""Writes a report: page, pictures, figures, and the table in the README."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from training.markdown import paragraph
from training.report.page import page
from training.report.plots import draw
from training.report.study import Report
from training.report.tables import points_table, splits_table
from training.report.tradeoff import HEADLINES

PAGE: Final = "README.md"
FIGURES: Final = "report.json"
BEGIN: Final = "<!-- ml-ids evaluate --all: from here -->"
END: Final = "<!-- to here -->"
_REPORT: Final = TypeAdapter(Report)


def write_report(report: Report, folder: Path) -> tuple[Path, ...]:
    """Write the page, its pictures and the figures into a folder, made if need be, and return the files.

    Raises:
        OSError: it cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = draw(report, folder)
    (folder / PAGE).write_text(page(report), encoding="utf-8")
    (folder / FIGURES).write_bytes(_REPORT.dump_json(report, indent=1) + b"\n")
    return tuple(folder / name for name in (PAGE, FIGURES, *pictures))


def summary(report: Report) -> str:
    """Return the tables that the README shows."""
    found = report.default
    parts = [splits_table(found, report.baseline)]
    if found.captures:
        parts += [
            paragraph(
                """Captures of other networks, each source judged at the threshold that the benign flows of
                the others give:"""
            ),
            points_table([point for point in found.captures if point.allowed in HEADLINES]),
        ]
    return "\n\n".join(parts)


def put_between_markers(path: Path, text: str) -> None:
    """Put text between the markers of a file.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it has not exactly one pair of markers.
    """
    whole = path.read_text(encoding="utf-8")
    if whole.count(BEGIN) != 1 or whole.count(END) != 1 or whole.index(BEGIN) > whole.index(END):
        raise ValueError(f"{path}: needs the lines {BEGIN} and {END}, once each, for the table to go between")
    before, rest = whole.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
