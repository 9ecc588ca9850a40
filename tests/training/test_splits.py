from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.splits import BLOCK_US, grouped, stratified, time_ordered

CODES = np.array([0] * 10 + [5] * 5 + [0] * 10 + [5] * 5, np.int32)


def test_time_ordered_takes_the_first_of_every_class() -> None:
    chosen = time_ordered(CODES, 0.7)
    for code in (0, 5):
        of_class = chosen[code == CODES]
        train = round(0.7 * len(of_class))
        assert of_class.tolist() == [True] * train + [False] * (len(of_class) - train)


def test_stratified_takes_the_share_of_every_class_and_repeats_itself() -> None:
    chosen = stratified(CODES, 0.7, seed=1)
    assert [int(chosen[code == CODES].sum()) for code in (0, 5)] == [14, 7]
    assert (chosen == stratified(CODES, 0.7, seed=1)).all()
    assert (chosen != stratified(CODES, 0.7, seed=2)).any()


@given(
    st.lists(st.tuples(st.sampled_from([0, 5, 17]), st.integers(0, 3), st.integers(0, 4)), min_size=2),
    st.integers(0, 9),
)
def test_grouped_keeps_a_host_pair_and_time_block_together(
    rows: list[tuple[int, int, int]], seed: int
) -> None:
    codes, pair, block = (np.array(column) for column in zip(*rows, strict=True))
    start_us = block * BLOCK_US + np.arange(len(rows))
    chosen = grouped(codes.astype(np.int32), pair, start_us, 0.7, seed)
    by_group: dict[tuple[int, int], set[bool]] = {}
    for where, train in zip(zip(pair.tolist(), block.tolist(), strict=True), chosen.tolist(), strict=True):
        by_group.setdefault(where, set()).add(train)
    assert all(len(sides) == 1 for sides in by_group.values())
    assert (chosen == grouped(codes.astype(np.int32), pair, start_us, 0.7, seed)).all()


def test_grouped_takes_about_the_share_of_every_class_and_leaves_some_for_testing() -> None:
    codes = np.repeat(np.array([0, 5, 5, 17], np.int32), [1000, 90, 10, 40])
    start_us = np.arange(len(codes)) * BLOCK_US
    start_us[codes == 17] = 0
    pair = np.where(codes == 5, 1, np.where(codes == 17, 2, 0))
    start_us[1000:1090] = start_us[1000]
    chosen = grouped(codes, pair, start_us, 0.7, seed=3)
    assert chosen[codes == 0].sum() == 700
    assert 0 < chosen[codes == 5].sum() < 100
    assert chosen[codes == 17].all()
