from __future__ import annotations

import numpy as np

from detection.backlog import STEP_FLOWS, Backlog
from flows.verdicts import concat_verdicts
from helpers.flows import flow_table, verdicts_for


def test_flows_come_back_in_order_and_in_steps() -> None:
    backlog = Backlog(1000)
    codes = np.arange(600) % 3
    table = flow_table(600, features={"flow_duration": np.arange(600.0)})
    assert backlog.put(table, verdicts_for(table, codes.tolist())) == 0
    assert backlog.waiting == 600
    steps = []
    while step := backlog.pop():
        steps.append(step)
    assert [len(table) for table, _ in steps] == [STEP_FLOWS, STEP_FLOWS, 600 - 2 * STEP_FLOWS]
    assert np.concatenate([table.column("flow_duration") for table, _ in steps]).tolist() == [*range(600)]
    assert (concat_verdicts([verdicts for _, verdicts in steps]).code == codes).all()
    assert backlog.waiting == 0


def test_what_there_is_no_room_for_is_left_out_and_told() -> None:
    backlog = Backlog(10)
    table = flow_table(8)
    assert backlog.put(table, verdicts_for(table, [0] * 8)) == 0
    assert backlog.put(table, verdicts_for(table, [0] * 8)) == 6
    assert backlog.waiting == 10
    backlog.clear()
    assert (backlog.waiting, backlog.pop()) == (0, None)
