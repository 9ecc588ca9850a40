"""The parity gate: our flows equal the rows of the original CICFlowMeter, value by value."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from capture.files import read_capture
from helpers.parity import ParityReport, compare, flow_rows, reference_rows

REFERENCE = Path(__file__).parent.parent / "reference"
SHARED = Path(__file__).parents[3] / "shared"
CAPTURES = sorted(path.stem for path in REFERENCE.glob("*.pcap"))

ARP_AS_IP = ("8.6.0.1", 0, "8.0.6.4", 0, 0)
"""Now and then the original tool takes an ARP packet's header for addresses: 0806 0001, 0800 0604."""


def assert_equal(report: ParityReport) -> None:
    assert not report.missing, report.missing[:5]
    assert not report.extra, report.extra[:5]
    assert not report.differing, report.examples
    assert report.equal == report.rows


def ipv4_flows(path: Path) -> dict:  # type: ignore[type-arg]
    """The original tool did not measure IPv6: those flows of ours are additional."""
    return {key: rows for key, rows in flow_rows(read_capture(path)).items() if ":" not in key[0]}


def test_there_are_eight_captures() -> None:
    assert len(CAPTURES) == 8


@pytest.mark.parametrize("capture", CAPTURES)
def test_reference_captures(capture: str) -> None:
    reference = reference_rows(pd.read_csv(REFERENCE / "improved" / f"{capture}.csv"))
    report = compare(reference, ipv4_flows(REFERENCE / f"{capture}.pcap"), capture)
    assert report.rows > 0
    assert_equal(report)


@pytest.mark.needs_shared
def test_published_rows_of_the_data_set() -> None:
    golden = SHARED / "data" / "golden"
    reference = reference_rows(pd.read_csv(golden / "expected_improved_cicflowmeter.csv"))
    report = compare(reference, flow_rows(read_capture(golden / "WebattackSQLinj.pcap")))
    assert report.rows == 9
    assert_equal(report)


@pytest.mark.needs_shared
@pytest.mark.filterwarnings("ignore")
def test_all_captures_of_other_origins() -> None:
    frame = pd.read_parquet(SHARED / "reference" / "improved-captures.parquet")
    equal = unmatched = 0
    for name, rows in frame.groupby("capture"):
        reference = reference_rows(rows)
        garbage = [key for key in reference if key[:5] == ARP_AS_IP]
        unmatched += sum(len(reference.pop(key)) for key in garbage)
        report = compare(reference, ipv4_flows(SHARED / "pcaps" / str(name)), str(name))
        assert_equal(report)
        equal += report.equal
    assert (equal, unmatched) == (33_675, 8)
