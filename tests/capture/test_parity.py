"""The parity gate: our flows equal the rows of the original CICFlowMeters, value by value.

docs/parity.md lists what cannot match; an unlisted mismatch fails, and so does a listed row that matches.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from flows.schema import IMPROVED_NAMES
from helpers.parity import LAYOUTS, ParityReport, Rows, compare, reference_rows, same_number
from helpers.parity_references import (
    COMMITTED,
    Reference,
    capture_references,
    committed_references,
    compared,
    generated_part,
    golden_references,
    listed,
    problems,
    table,
)

REFERENCES = committed_references()


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda r: f"{r.dialect}-{r.name}")
def test_reference_captures(reference: Reference) -> None:
    report = compared(reference)
    assert report.rows > 0
    assert problems(report, listed(reference)) == []


def test_there_are_eight_captures_in_four_dialects() -> None:
    captures = {path.stem for path in COMMITTED.glob("*.pcap")}
    assert len(captures) == 8
    for dialect in ("improved", "improved-2024", "cic-2018", "cic-v4"):
        assert {r.name for r in REFERENCES if r.dialect == dialect} == captures


def test_the_table_of_the_document_is_that_of_these_captures() -> None:
    assert generated_part("committed references") == table(REFERENCES), "run scripts/parity_report.py --write"


@pytest.mark.needs_shared
def test_published_rows_of_the_data_sets() -> None:
    rows = {}
    for reference in golden_references():
        report = compared(reference)
        assert problems(report, listed(reference)) == []
        rows[reference.dialect] = report.equal
    assert rows == {"improved": 9, "cic-2017": 16}


@pytest.mark.needs_shared
@pytest.mark.filterwarnings("ignore")
def test_all_captures_of_other_origins() -> None:
    total = ParityReport()
    for reference in capture_references():
        report = compared(reference)
        assert problems(report, listed(reference)) == []
        total.add(report)
    assert (total.equal, total.rows) == (33_675, 33_683)


@pytest.mark.needs_shared
@pytest.mark.filterwarnings("ignore")
def test_the_second_table_of_the_document_is_that_of_all_references() -> None:
    references = [*golden_references(), *capture_references()]
    assert generated_part("all references") == table(references), "run scripts/parity_report.py --write"


# The gate itself


def changed(rows: Rows, feature: str, by: float) -> Rows:
    at = IMPROVED_NAMES.index(feature)
    copies = {key: [row.copy() for row in found] for key, found in rows.items()}
    first = next(iter(copies.values()))[0]
    first[at] += by
    return copies


def rows_of(name: str) -> Rows:
    return reference_rows(pd.read_csv(COMMITTED / "improved" / f"{name}.csv"))


@pytest.mark.parametrize(
    ("feature", "by"),
    [("tot_fwd_pkts", 1.0), ("flow_iat_mean", 1.0), ("icmp_code", 1.0), ("idle_max", 1e-3)],
)
def test_one_changed_value_is_a_mismatch(feature: str, by: float) -> None:
    rows = rows_of("04_idle_timeout")
    report = compare(rows, changed(rows, feature, by))
    assert len(report.differing) == 1
    assert report.alike[feature] == report.compared[feature] - 1


def test_numbers_agree_to_the_precision_asked() -> None:
    assert same_number(1.0, 1.0 + 5e-10, exact=False)
    assert not same_number(1.0, 1.0 + 2e-9, exact=False)
    assert not same_number(1.0, 1.0 + 5e-10, exact=True)
    assert same_number(0.793868477, 0.79386847743, exact=False, digits=9)
    assert not same_number(0.793868477, 0.7938684790, exact=False, digits=9)
    assert same_number(np.nan, np.nan, exact=True)
    assert not same_number(np.inf, 1e300, exact=False)


def test_a_missing_and_an_additional_flow_are_mismatches() -> None:
    rows = rows_of("01_tcp_fin")
    key = next(iter(rows))
    fewer = {other: found for other, found in rows.items() if other != key}
    assert compare(rows, fewer).missing == [key] * len(rows[key])
    assert compare(fewer, rows).extra == [key] * len(rows[key])


def test_what_is_listed_must_mismatch() -> None:
    golden = next(r for r in REFERENCES if r.name == "01_tcp_fin")
    key = next(iter(golden.rows))
    known = listed(golden)
    known.theirs[key] += 1
    assert problems(compared(golden), known)[0].startswith("listed, but matches")


def test_clocks_tell_what_their_files_tell() -> None:
    afternoon = np.array([1_499_435_999_999_999])  # 2017-07-07 13:59:59.999999
    at = {name: pd.Timestamp(int(layout.key_times(afternoon)[0]) * 1000) for name, layout in LAYOUTS.items()}
    assert str(at["improved"]) == "2017-07-07 13:59:59.999999"
    assert str(at["cic-v4"]) == "2017-07-07 13:59:59"
    assert str(at["cic-2018"]) == "2017-07-07 01:59:59"
    assert str(at["cic-2017"]) == "2017-07-07 10:59:00"
