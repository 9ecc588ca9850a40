from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flows.addresses import pack_address
from training import row_hash
from training.dataset import UNKNOWN_PAIR
from training.row_hash import host_pairs, repeats, row_hashes

VALUES = st.sampled_from([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 2.0**-1000])


@given(st.data())
def test_the_first_of_equal_rows_is_no_repetition_and_the_others_are(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, 12))
    features = data.draw(hnp.arrays(np.float64, (n, 2), elements=VALUES))
    codes = data.draw(hnp.arrays(np.int32, n, elements=st.sampled_from([0, 5])))
    order = np.array(data.draw(st.permutations(range(n))), np.intp)
    seen, expected = set(), []
    for row in order.tolist():
        key = (*("nan" if np.isnan(value) else value + 0.0 for value in features[row].tolist()), codes[row])
        expected.append(key in seen)
        seen.add(key)
    assert repeats(features, codes, order).tolist() == expected


def test_rows_that_only_have_the_same_hash_are_not_repetitions(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(row_hash, "row_hashes", lambda features, codes: np.zeros(len(codes), np.uint64))
    features = np.array([[1.0], [2.0], [2.0], [3.0]])
    found = repeats(features, np.zeros(4, np.int32), np.arange(4))
    assert found.tolist() == [False, False, True, False]


def test_hashes_tell_apart_what_differs_in_one_bit_or_in_the_columns_order() -> None:
    random = np.random.default_rng(0)
    rows = np.repeat(random.integers(0, 100, (1, 76)).astype(float), 20_000, axis=0)
    rows[np.arange(20_000), random.integers(0, 76, 20_000)] += 2.0 ** -random.integers(0, 40, 20_000)
    rows = np.unique(rows, axis=0)
    rows = np.vstack([rows, rows[:, ::-1]])
    assert len(np.unique(row_hashes(rows, np.zeros(len(rows), np.int32)))) == len(np.unique(rows, axis=0))


def test_two_hosts_have_one_number_whoever_began() -> None:
    def packed(*texts: str) -> np.ndarray:
        return np.array([[*(bytes(16) if text == "" else pack_address(text))] for text in texts], np.uint8)

    one = packed("10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.1", "", "fe80::1")
    other = packed("10.0.0.2", "10.0.0.1", "10.0.0.3", "", "10.0.0.1", "10.0.0.1")
    pairs = host_pairs(one, other).tolist()
    assert pairs[0] == pairs[1]
    assert len({*pairs}) == 4
    assert pairs[3] == pairs[4] == UNKNOWN_PAIR
    assert min(pairs[0], pairs[2], pairs[5]) >= 0
