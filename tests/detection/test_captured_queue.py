from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detection.captured_queue import CapturedQueue
from flows.table import FlowTable

SENSORS = st.sampled_from(["one", "other"])


def _table(first: int, rows: int, sensor: str) -> FlowTable:
    features = np.arange(first, first + rows, dtype=np.float64)[:, None]
    return FlowTable.from_features(features, ("flow_duration",), "improved", sensor=sensor)


@given(st.lists(st.tuples(st.integers(1, 12), SENSORS), max_size=8), st.lists(st.integers(1, 9), max_size=99))
def test_all_come_out_in_order_and_no_batch_is_too_large(
    tables: list[tuple[int, str]], limits: list[int]
) -> None:
    waiting = CapturedQueue()
    expected: list[tuple[float, str]] = []
    for rows, sensor in tables:
        table = _table(len(expected), rows, sensor)
        expected += [(value, sensor) for value in table.features[:, 0].tolist()]
        waiting.put(table)
    came: list[tuple[float, str]] = []
    while waiting:
        limit = limits.pop() if limits else 5
        batch = waiting.take(limit)
        assert 1 <= len(batch) <= limit
        came += [(value, batch.sensor) for value in batch.features[:, 0].tolist()]
        following = expected[len(came) : len(came) + 1]
        assert len(batch) == limit or not following or following[0][1] != batch.sensor
    assert came == expected


def test_nothing_is_left_after_clearing() -> None:
    waiting = CapturedQueue()
    waiting.put(_table(0, 3, "one"))
    waiting.clear()
    assert not waiting
    with pytest.raises(IndexError):
        waiting.take(1)
