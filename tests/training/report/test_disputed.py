from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flows.table import UNKNOWN_TIME
from training.dataset import UNKNOWN_PAIR, LabelledFlows
from training.report.disputed import beside_attacks

ROWS = st.lists(
    st.tuples(
        st.sampled_from([UNKNOWN_PAIR, 1, 2]), st.sampled_from([UNKNOWN_TIME, *range(12)]), st.booleans()
    ),
    max_size=12,
)


@given(ROWS, st.integers(0, 5))
def test_benign_flows_of_hosts_that_attack_each_other_are_disputed(
    rows: list[tuple[int, int, bool]], within: int
) -> None:
    flows = LabelledFlows.of(
        np.zeros((len(rows), 1)),
        ("f",),
        np.array([attack for *_, attack in rows], np.int32),
        "improved",
        pair=np.array([pair for pair, *_ in rows], np.int64),
        start_us=np.array([start for _, start, _ in rows], np.int64),
    )
    wanted = [
        not attack
        and start != UNKNOWN_TIME
        and pair != UNKNOWN_PAIR
        and any(
            other == pair and bad and when != UNKNOWN_TIME and abs(when - start) <= within
            for other, when, bad in rows
        )
        for pair, start, attack in rows
    ]
    assert beside_attacks(flows, within_us=within).tolist() == wanted
