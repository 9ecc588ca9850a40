from __future__ import annotations

import numpy as np

from alerting.verdict_counts import VerdictCounts
from helpers.flows import flow_table, verdicts_for


def test_counts_by_source_and_label() -> None:
    counts = VerdictCounts()
    insufficient = np.array([False, False, False, False, True])
    counts.add(verdicts_for(flow_table(5), [0, 0, 17, 5, 0], insufficient=insufficient), "sidecar")
    counts.add(verdicts_for(flow_table(1), [17]), "sidecar")
    counts.add(verdicts_for(flow_table(1), [17]), "api")
    assert counts.snapshot() == {
        ("sidecar", "benign"): 2,
        ("sidecar", "Portscan"): 2,
        ("sidecar", "DoS Hulk"): 1,
        ("sidecar", "insufficient"): 1,
        ("api", "Portscan"): 1,
    }
