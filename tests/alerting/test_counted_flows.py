from __future__ import annotations

from dataclasses import replace

import numpy as np

from alerting.counted_flows import CountedFlows
from flows.table import FlowTable
from helpers.flows import flow_table


def _rows(*uids: int, provisional: bool = False, revision: int = 0) -> FlowTable:
    count = len(uids)
    return replace(
        flow_table(count),
        flow_uid=np.array(uids, np.uint64),
        provisional=np.full(count, provisional),
        revision=np.full(count, revision, np.int32),
    )


def _codes(*codes: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(codes, np.int64)


def test_what_was_said_provisionally_is_no_news_at_the_end() -> None:
    counted = CountedFlows()
    assert counted.first_told(_rows(1, 2, provisional=True), _codes(5, 5)).all()
    assert counted.first_told(_rows(1, 2, 3, revision=1), _codes(5, 6, 5)).tolist() == [False, True, True]


def test_a_flow_that_is_said_again_and_again_is_told_once() -> None:
    counted = CountedFlows()
    told = [counted.first_told(_rows(1, provisional=True, revision=n), _codes(5)).all() for n in range(3)]
    assert told == [True, False, False]


def test_flows_that_were_scored_once_are_always_told() -> None:
    counted = CountedFlows()
    assert counted.first_told(_rows(7, 7), _codes(5, 5)).all()


def test_the_oldest_are_forgotten() -> None:
    counted = CountedFlows(kept=2)
    counted.first_told(_rows(1, 2, 3, provisional=True), _codes(5, 5, 5))
    assert counted.first_told(_rows(1, 2, 3, revision=1), _codes(5, 5, 5)).tolist() == [True, False, False]
