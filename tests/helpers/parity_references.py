"""The rows that original CICFlowMeters wrote, and the table of docs/parity.md that counts them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from capture.dialects import RULES
from capture.files import read_capture
from flows.schema import FEATURES
from helpers.parity import LAYOUTS, Key, Layout, ParityReport, Rows, compare, flow_rows, reference_rows

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "parity.md"
COMMITTED = ROOT / "tests" / "reference"
SHARED = ROOT.parent / "shared"
GOLDEN = "golden/WebattackSQLinj"
Meter = Callable[[Path, str], Rows]


@dataclass(frozen=True)
class Reference:
    """What an original tool wrote for one capture.

    Attributes:
        dialect: of the tool.
        name: as docs/parity.md calls it.
        capture: the capture's file.
        rows: what it wrote.
        group: the column of the table that counts it.
    """

    dialect: str
    name: str
    capture: Path
    rows: Rows
    group: str

    @property
    def layout(self) -> Layout:
        """How its rows are written."""
        return LAYOUTS[self.dialect]


def kernel_rows(capture: Path, dialect: str) -> Rows:
    """Return our flows of a capture."""
    return flow_rows(read_capture(capture, dialect=dialect), LAYOUTS[dialect])


def compared(reference: Reference, meter: Meter = kernel_rows) -> ParityReport:
    """Compare what a meter makes of a capture with what the original tool did.

    The original tools did not measure IPv6: those flows of ours are additional.
    """
    flows = meter(reference.capture, reference.dialect)
    ours = {key: rows for key, rows in flows.items() if ":" not in key[0]}
    return compare(reference.rows, ours, reference.name, layout=reference.layout)


def committed_references() -> list[Reference]:
    """The eight captures in four dialects."""
    return [
        Reference(
            dialect,
            path.stem,
            COMMITTED / f"{path.stem}.pcap",
            reference_rows(pd.read_csv(path), LAYOUTS[dialect]),
            dialect,
        )
        for dialect in RULES
        for path in sorted((COMMITTED / dialect).glob("*.csv"))
    ]


def golden_references() -> list[Reference]:
    """What the authors of the data sets published for one capture."""
    folder = SHARED / "data" / "golden"
    files = {
        "improved": "expected_improved_cicflowmeter.csv",
        "cic-2017": "expected_original_cicflowmeter.csv",
    }
    return [
        Reference(
            dialect,
            GOLDEN,
            folder / "WebattackSQLinj.pcap",
            reference_rows(pd.read_csv(folder / name), LAYOUTS[dialect]),
            f"{dialect}, published rows",
        )
        for dialect, name in files.items()
    ]


def capture_references() -> Iterator[Reference]:
    """The rows of dialect `improved` for the captures of other origins."""
    frame = pd.read_parquet(SHARED / "reference" / "improved-captures.parquet")
    for name, rows in frame.groupby("capture"):
        path = SHARED / "pcaps" / str(name)
        yield Reference("improved", str(name), path, reference_rows(rows), "improved, 94 captures")


@dataclass(frozen=True)
class Listed:
    """Rows that docs/parity.md says cannot match: those of the tools, and our own."""

    theirs: Counter[Key]
    ours: Counter[Key]


def listed(reference: Reference) -> Listed:
    """Return what docs/parity.md lists for a reference."""
    return Listed(
        _listed_keys("Rows without an equal flow", reference),
        _listed_keys("Flows without a row", reference),
    )


def _listed_keys(heading: str, reference: Reference) -> Counter[Key]:
    section = DOCUMENT.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    keys: Counter[Key] = Counter()
    for line in section.splitlines():
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if len(cells) != 9 or cells[:2] != [reference.dialect, reference.name]:
            continue
        src, sport, dst, dport, protocol, start = cells[2:8]
        start_us = int(pd.Timestamp(start).value // 1000)
        keys[(src, int(sport), dst, int(dport), int(protocol), start_us)] += 1
    return keys


def problems(report: ParityReport, known: Listed) -> list[str]:
    """Say which mismatches are not listed, and which listed rows match after all."""
    found = []
    for kind, actual, expected in (
        ("row without an equal flow", report.unmatched, known.theirs),
        ("flow without a row", Counter(report.extra), known.ours),
    ):
        found += [f"not listed: {kind} {key}" for key in actual - expected]
        found += [f"listed, but matches: {kind} {key}" for key in expected - actual]
    return [*found, *report.examples] if found else []


def table(references: Iterable[Reference]) -> str:
    """Return the Markdown table: rows equal / rows compared, by feature and group of references."""
    reports: dict[str, ParityReport] = {}
    for reference in references:
        reports.setdefault(reference.group, ParityReport()).add(compared(reference))
    lines = [
        f"| feature | {' | '.join(reports)} |",
        f"| --- |{' ---: |' * len(reports)}",
        *(
            f"| `{feature.name}` | {' | '.join(_cell(report, feature.name) for report in reports.values())} |"
            for feature in FEATURES
            if any(report.compared[feature.name] for report in reports.values())
        ),
        f"| all features of a row | {' | '.join(_count(r.equal, r.rows) for r in reports.values())} |",
    ]
    return "\n".join(lines) + "\n"


def _cell(report: ParityReport, name: str) -> str:
    return _count(report.alike[name], report.compared[name]) if report.compared[name] else ""


def _count(equal: int, rows: int) -> str:
    return f"{equal:,} / {rows:,}"


def generated_part(name: str) -> str:
    """Return the part of docs/parity.md between its markers."""
    return DOCUMENT.read_text().split(f"<!-- {name} -->\n")[1].split("<!-- end -->")[0]


def with_generated_part(name: str, text: str) -> str:
    """Return docs/parity.md with another text between those markers."""
    before, rest = DOCUMENT.read_text().split(f"<!-- {name} -->\n")
    after = rest.split("<!-- end -->", 1)[1]
    return f"{before}<!-- {name} -->\n{text}<!-- end -->{after}"
