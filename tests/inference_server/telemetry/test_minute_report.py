from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from helpers.models import make_scorer
from helpers.server import wait_until
from helpers.status import SINK, make_status
from inference_server.telemetry.minute_report import MinuteReport, Totals


def test_says_what_came_since_the_last_look() -> None:
    before = Totals.of(make_status(make_scorer()))
    assert before == Totals(
        packets=100, flows=10, attacks=2, insufficient=1, kernel_drops=5, shed=7, unlogged=2
    )
    more = replace(SINK, verdicts={("sidecar", "benign"): 8, ("api", "DoS Hulk"): 4}, dropped=3)
    after = Totals.of(make_status(make_scorer(), sink=more))
    assert after.since(before).startswith("0 packets, 2 flows judged, 2 attacks, -1 insufficient")
    assert after.since(before).endswith("dropped: 0 packets, 0 unscored flows, 1 unlogged verdicts")


def test_writes_a_line_each_interval(caplog: pytest.LogCaptureFixture) -> None:
    report = MinuteReport(lambda: make_status(make_scorer()), interval=0.01)
    with caplog.at_level(logging.INFO):
        report.start()
        wait_until(lambda: len(caplog.records) >= 2)
        report.stop()
    assert "0 packets" in caplog.records[0].getMessage()
