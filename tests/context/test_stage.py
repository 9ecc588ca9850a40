from __future__ import annotations

import numpy as np

from context.features import CONTEXT_NAMES
from context.stage import FIRST_KEPT, ContextStage
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.starts import Start, contexts_by_definition, rows_of

STARTS = [Start(at * 500, port=at % 3) for at in range(6)]
EXPECTED = np.array([list(each.values()) for each in contexts_by_definition(STARTS)], np.float32)


def table(*uids: int, provisional: bool = False) -> FlowTable:
    features = np.zeros((len(uids), len(COMMON_NAMES)))
    return FlowTable.from_features(
        features,
        COMMON_NAMES,
        "improved",
        flow_uid=np.array(uids, np.uint64),
        provisional=np.full(len(uids), provisional),
    )


def test_flows_get_the_context_of_their_start_in_whatever_order_they_end() -> None:
    stage = ContextStage()
    stage.learn(rows_of(STARTS))
    [first] = stage.add(table(5, 1))
    [second] = stage.add(table(2, 6))
    assert first.feature_names == (*COMMON_NAMES, *CONTEXT_NAMES)
    assert (first.select(CONTEXT_NAMES) == EXPECTED[[4, 0]]).all()
    assert (second.select(CONTEXT_NAMES) == EXPECTED[[1, 5]]).all()


def test_a_table_waits_for_its_starts_and_later_ones_wait_behind_it() -> None:
    stage = ContextStage()
    stage.learn(rows_of(STARTS[:2]))
    assert list(stage.add(table(1, 4))) == []
    assert list(stage.add(table(2))) == []
    stage.learn(rows_of(STARTS[2:], first_uid=3))
    waited, behind = stage.ready()
    assert (waited.select(CONTEXT_NAMES) == EXPECTED[[0, 3]]).all()
    assert (behind.select(CONTEXT_NAMES) == EXPECTED[[1]]).all()


def test_a_flow_that_goes_on_keeps_its_context() -> None:
    stage = ContextStage()
    stage.learn(rows_of(STARTS))
    [early] = stage.add(table(3, provisional=True))
    [final] = stage.add(table(3))
    assert (early.select(CONTEXT_NAMES) == final.select(CONTEXT_NAMES)).all()


def test_a_flow_whose_start_nobody_saw_has_none() -> None:
    stage = ContextStage()
    assert list(stage.add(table(1))) == []
    [found] = stage.rest()
    assert np.isnan(found.select(CONTEXT_NAMES)).all()


def test_of_more_flows_than_there_is_room_for_the_oldest_contexts_are_forgotten() -> None:
    stage = ContextStage(kept=4)
    stage.learn(rows_of(STARTS[:3]))
    stage.learn(rows_of(STARTS[3:], first_uid=4))
    [found] = stage.add(table(1, 2, 3, 6))
    assert stage.forgotten == 2
    assert np.isnan(found.select(CONTEXT_NAMES)[:2]).all()
    assert (found.select(CONTEXT_NAMES)[2:] == EXPECTED[[2, 5]]).all()


def test_contexts_of_flows_that_ended_take_no_room() -> None:
    stage = ContextStage(kept=FIRST_KEPT)
    for number in range(3):
        first = 1 + number * FIRST_KEPT
        starts = [Start(number * 100_000 + at) for at in range(FIRST_KEPT)]
        stage.learn(rows_of(starts, first_uid=first))
        [found] = stage.add(table(*range(first, first + FIRST_KEPT)))
        assert not np.isnan(found.select(CONTEXT_NAMES)).any()
    assert stage.forgotten == 0


def test_flows_from_before_the_starts_are_told_wait_for_nothing() -> None:
    stage = ContextStage(since=7)
    [before] = stage.add(table(6))
    assert np.isnan(before.select(CONTEXT_NAMES)).all()
    assert list(stage.add(table(5, 7))) == []
    assert stage.waiting == 2
    stage.learn(rows_of(STARTS[:1], first_uid=7))
    [found] = stage.ready()
    assert stage.waiting == 0
    assert np.isnan(found.select(CONTEXT_NAMES)[0]).all()
    assert (found.select(CONTEXT_NAMES)[1] == EXPECTED[0]).all()
