from __future__ import annotations

import numpy as np

from training.splits import stratified, time_ordered

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
