from __future__ import annotations

import numpy as np

from flows.table import UNKNOWN_TIME
from training.dataset import LabelledFlows
from training.describe import ClassCount, describe


def test_tells_what_a_set_holds() -> None:
    flows = LabelledFlows.of(
        np.array([[np.inf, 1], [np.nan, -1], [1, 1], [-np.inf, np.nan]]),
        ("x", "y"),
        np.array([0, 5, 5, 0], np.int32),
        "improved",
        start_us=np.array([UNKNOWN_TIME, 10, 20, 30]),
        pair=np.array([-1, 7, 7, 8]),
        source=np.array([0, 0, 0, 1], np.int32),
        sources=("a.csv", "b.csv"),
        rows_read=6,
        dropped={"duplicate": 2},
    )
    found = describe(flows)
    assert found.classes == (ClassCount(0, "Benign", 2, 30, 30), ClassCount(5, "DoS Hulk", 2, 10, 20))
    assert (found.rows, found.rows_read, found.dropped) == (4, 6, {"duplicate": 2})
    assert (found.dialect, found.features, found.host_pairs) == ("improved", 2, 2)
    assert (found.first_us, found.last_us) == (10, 30)
    assert found.odd == {"infinity": 2, "NaN": 2, "negative": 2}
    assert found.sources == {"a.csv": 3, "b.csv": 1}


def test_what_is_unknown_is_none() -> None:
    found = describe(LabelledFlows.of(np.ones((1, 1)), ("x",), np.zeros(1, np.int32), "cic-2017"))
    assert (found.first_us, found.last_us, found.host_pairs) == (None, None, None)
    assert found.classes == (ClassCount(0, "Benign", 1, None, None),)
