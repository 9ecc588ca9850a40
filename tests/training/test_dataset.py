from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from flows.table import UNKNOWN_PORT, UNKNOWN_TIME
from training.dataset import UNKNOWN_PAIR, LabelledFlows, joined


def flows(n: int, source: str = "a", **columns: object) -> LabelledFlows:
    features = np.arange(2.0 * n).reshape(n, 2)
    return LabelledFlows.of(
        features, ("x", "y"), np.arange(n, dtype=np.int32), "improved", sources=(source,), **columns
    )


def test_what_is_not_told_is_unknown() -> None:
    found = flows(3)
    assert len(found) == found.rows_read == 3
    assert found.start_us.tolist() == [UNKNOWN_TIME] * 3
    assert found.pair.tolist() == [UNKNOWN_PAIR] * 3
    assert found.dst_port.tolist() == [UNKNOWN_PORT] * 3
    assert found.dropped == {}


def test_rows_that_are_taken_are_a_set_of_their_own() -> None:
    whole = flows(4, rows_read=9, dropped={"duplicate": 5})
    for rows in (np.array([True, False, True, False]), np.array([0, 2]), slice(0, 4, 2)):
        part = whole.take(rows)
        assert part.codes.tolist() == [0, 2]
        assert part.features.tolist() == [[0.0, 1.0], [4.0, 5.0]]
        assert (part.rows_read, part.dropped) == (2, {})
        assert part.sources == ("a",)


def test_joined_parts_keep_their_sources_and_add_up_what_was_dropped() -> None:
    one = flows(2, rows_read=5, dropped={"duplicate": 3})
    other = flows(1, "b", rows_read=3, dropped={"duplicate": 1, "unlabelled": 1})
    both = joined([one, other, flows(1)])
    assert both.sources == ("a", "b")
    assert both.source.tolist() == [0, 0, 1, 0]
    assert both.codes.tolist() == [0, 1, 0, 0]
    assert (both.rows_read, both.dropped) == (9, {"duplicate": 4, "unlabelled": 1})
    assert len(both) + sum(both.dropped.values()) == both.rows_read


def test_only_what_is_alike_is_joined() -> None:
    other = replace(flows(1, "b"), dialect="cic-v4")
    with pytest.raises(ValueError, match=r"b: its flows .* in dialect cic-v4, those of a in improved"):
        joined([flows(1), other])
    with pytest.raises(ValueError, match="b and a have different features"):
        joined([flows(1), replace(other, dialect="improved", names=("x", "z"))])
    with pytest.raises(ValueError, match="no flows to join"):
        joined([])
