from __future__ import annotations

from alerting.verdict_counts import VerdictCounts
from helpers.tables import INSUFFICIENT, make_verdicts


def test_counts_by_source_and_label() -> None:
    counts = VerdictCounts()
    counts.add(make_verdicts([0, 0, 17, 5, INSUFFICIENT]), "sidecar")
    counts.add(make_verdicts([17]), "sidecar")
    counts.add(make_verdicts([17]), "api")
    assert counts.snapshot() == {
        ("sidecar", "benign"): 2,
        ("sidecar", "Portscan"): 2,
        ("sidecar", "DoS Hulk"): 1,
        ("sidecar", "insufficient"): 1,
        ("api", "Portscan"): 1,
    }
