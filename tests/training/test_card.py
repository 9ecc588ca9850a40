from __future__ import annotations

import re

import numpy as np
import pytest

from flows.schema import COMMON_NAMES
from helpers.labelled import TREE, labelled_flows
from helpers.models import made_up_flows, make_record
from training.captures import CaptureScores, figures
from training.card import Findings, render
from training.dataset import LabelledFlows
from training.report.inputs import Inputs
from training.report.study import study


@pytest.fixture
def findings() -> Findings:
    features, codes = made_up_flows(30)
    attacks = [
        CaptureScores("scan.pcap", np.array([0.2, 0.9]), 2),
        CaptureScores("dos.pcap", np.array([0.8]), 0),
    ]
    benign = [CaptureScores("web.pcap", np.array([0.1, 0.2, 0.3]), 1)]
    return Findings(
        data=LabelledFlows.of(
            features, COMMON_NAMES, codes, "improved", rows_read=1234, dropped={"duplicate": 1204}
        ),
        record=make_record(threshold=0.5),
        report=study(Inputs(labelled_flows()), TREE),
        benign=figures(benign, 0.5),
        attacks=figures(attacks, 0.5),
        attack_captures=attacks,
        allowed_share=0.002,
    )


def test_tells_what_was_measured(findings: Findings) -> None:
    card = " ".join(render(findings).split())
    for said in (
        "1,234 flows. 1,204 rows that repeat",
        "30 stay",
        "Benign flows are heavily under-sampled: 10 here, 1,582,566 upstream",
        "| attack | 2 | 5 | 2 | 3 | 2 | 40.000% | 66.667% |",
        "| benign | 1 | 4 | 1 | 3 | 0 | 0.000% | 0.000% |",
        "**40.00%** over flows (66.67% of those that could be scored), **62.50%** as the mean over captures",
        "2 of 2 captures have a flagged flow",
        "at most 0.2% of the scored flows",
        "40.0% of the flows of the attack captures",
        "## Figures: grouped split",
        "| time-ordered split | 90 |",
        "| scan.pcap | 4 | 2 | 1 | 25.0% |",
        "Dialect `improved`",
        "at most 1 packet or of 0 us get the verdict `insufficient`",
    ):
        assert said in card


def test_what_matters_in_operation_survives_the_registrys_limit(findings: Findings) -> None:
    headings = re.findall("^## (.*)", render(findings), re.MULTILINE)
    assert headings[:3] == ["Operating threshold", "Splits", "Limits"]


def test_tables_are_whole(findings: Findings) -> None:
    for block in render(findings).split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1
