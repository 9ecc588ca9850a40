from __future__ import annotations

import queue
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.request_queue import Request, RequestQueue
from detection.scorer import Scorer
from flows.table import FlowTable
from helpers.flows import verdicts_for
from helpers.models import make_scorer

SCORER = make_scorer()
OTHER = make_scorer(version="2")


def _request(values: Sequence[float], name: str = "flow_duration") -> Request:
    features = np.array(values, np.float64).reshape(-1, 1)
    return Request(FlowTable.from_features(features, (name,), "improved"))


def _answer_all(waiting: RequestQueue, flows: int, scorer: Scorer = SCORER) -> list[list[int]]:
    """Answer each flow with its own value; return which requests shared each batch, by their first value."""
    shared: list[list[int]] = []
    while waiting:
        batch = waiting.take(flows, scorer)
        assert batch.flows <= flows
        table = batch.table()
        assert len(table) == batch.flows
        batch.answer(verdicts_for(table, [0] * len(table), p_attack=table.features[:, 0]))
        shared.append([int(request.table.features[0, 0]) for request, _ in batch.pieces])
    return shared


@given(st.lists(st.integers(1, 30), max_size=12), st.integers(1, 12))
def test_every_request_gets_the_answers_to_its_own_flows(sizes: list[int], flows: int) -> None:
    waiting = RequestQueue(10_000)
    requests = [_request(range(100 * number, 100 * number + size)) for number, size in enumerate(sizes)]
    for request in requests:
        waiting.put(request)
    _answer_all(waiting, flows)
    for request in requests:
        assert request.future.result(0).p_attack.tolist() == request.table.features[:, 0].tolist()
        assert request.scorer is SCORER


def test_others_get_their_turn_between_the_pieces_of_a_large_one() -> None:
    waiting = RequestQueue(1000)
    for first, size in ((100, 25), (200, 4), (300, 4), (400, 4)):
        waiting.put(_request(range(first, first + size)))
    assert _answer_all(waiting, 10) == [[100], [200, 300], [400, 100], [100]]


def test_a_small_request_is_not_split() -> None:
    waiting = RequestQueue(1000)
    for first, size in ((100, 8), (200, 4), (300, 1)):
        waiting.put(_request(range(first, first + size)))
    assert _answer_all(waiting, 10) == [[100], [200, 300]]


def test_other_features_are_scored_apart() -> None:
    waiting = RequestQueue(1000)
    for first, name in ((1, "flow_duration"), (2, "flow_duration"), (3, "idle_mean"), (4, "flow_duration")):
        waiting.put(_request([first], name))
    assert _answer_all(waiting, 10) == [[1, 2], [3], [4]]


def test_the_model_of_the_first_piece_answers_the_rest() -> None:
    waiting = RequestQueue(1000)
    large, small = _request(range(100, 125)), _request([200])
    waiting.put(large)
    waiting.take(10, SCORER)
    waiting.put(small)
    second = waiting.take(10, OTHER)
    assert [(request, len(piece)) for request, piece in second.pieces] == [(large, 10)]
    assert second.scorer is SCORER
    third = waiting.take(10, OTHER)
    assert [request for request, _ in third.pieces] == [small]
    assert third.scorer is OTHER
    assert waiting.take(10, OTHER).scorer is SCORER


def test_bounded_and_a_large_request_leaves_room_for_others() -> None:
    waiting = RequestQueue(100)
    waiting.put(_request(range(5000)))
    waiting.put(_request(range(50)))
    with pytest.raises(queue.Full, match="5050 flows wait to be scored: send again later"):
        waiting.put(_request([1]))
    waiting.take(4000, SCORER)
    with pytest.raises(queue.Full, match="1050 flows"):
        waiting.put(_request([1]))
    while waiting:
        waiting.take(4000, SCORER)
    waiting.put(_request(range(5000)))


def test_requests_that_were_given_up_are_dropped_and_make_room() -> None:
    waiting = RequestQueue(10)
    given_up, kept = _request(range(5)), _request(range(5))
    waiting.put(given_up)
    waiting.put(kept)
    assert given_up.future.cancel()
    assert [request for request, _ in waiting.take(10, SCORER).pieces] == [kept]
    waiting.put(_request(range(5)))
    waiting.put(_request(range(5)))


def test_a_request_fails_once_and_its_rest_is_dropped() -> None:
    waiting = RequestQueue(100)
    large = _request(range(30))
    waiting.put(large)
    waiting.take(10, SCORER).fail(ArithmeticError("no answer"))
    assert waiting.take(10, SCORER).pieces == []
    assert not waiting
    with pytest.raises(ArithmeticError, match="no answer"):
        large.future.result(0)
