from __future__ import annotations

import numpy as np
import pytest

from flows.table import UNKNOWN_TIME
from training.dataset import LabelledFlows
from training.split_files import split_rows


def flows(n: int = 1000, **columns: object) -> LabelledFlows:
    """Return flows a minute apart, every fifth one an attack, of ten pairs of hosts."""
    known = {"start_us": 60_000_000 * np.arange(n), "pair": np.arange(n) % 10}
    codes = np.where(np.arange(n) % 5 == 4, 5, 0).astype(np.int32)
    return LabelledFlows.of(np.ones((n, 1)), ("x",), codes, "improved", **(known | columns))


@pytest.mark.parametrize("strategy", ["random", "grouped", "time-ordered"])
def test_every_row_is_in_one_part_and_classes_keep_their_shares(strategy: str) -> None:
    whole = flows()
    parts = split_rows(whole, strategy, val_size=0.1, test_size=0.1, seed=42)
    assert list(parts) == ["train", "val", "test"]
    assert sorted(np.concatenate([*parts.values()]).tolist()) == list(range(1000))
    for rows, wanted in zip(parts.values(), (800, 100, 100), strict=True):
        assert (np.diff(rows) > 0).all()
        assert len(rows) == pytest.approx(wanted, abs=15 if strategy == "grouped" else 0)
        assert np.mean(whole.codes[rows] == 5) == pytest.approx(0.2, abs=0.05)


def test_the_seed_decides_what_is_random() -> None:
    one, same, other = (
        split_rows(flows(), "random", val_size=0.1, test_size=0.1, seed=seed)["test"].tolist()
        for seed in (42, 42, 43)
    )
    assert one == same != other


def test_the_last_flows_of_every_class_are_for_the_test_and_those_before_for_validation() -> None:
    parts = split_rows(flows(), "time-ordered", val_size=0.1, test_size=0.2, seed=0)
    assert parts["train"].max() < parts["val"].min()
    assert parts["val"].max() < parts["test"].min()
    assert [len(rows) for rows in parts.values()] == [700, 100, 200]


def test_a_part_may_be_empty_but_not_that_for_training() -> None:
    parts = split_rows(flows(), "random", val_size=0, test_size=0.25, seed=0)
    assert [len(rows) for rows in parts.values()] == [750, 0, 250]
    with pytest.raises(ValueError, match=r"--val-size 0.5 and --test-size 0.5 leave nothing to train on"):
        split_rows(flows(), "random", val_size=0.5, test_size=0.5, seed=0)


def test_what_a_strategy_goes_by_must_be_known() -> None:
    with pytest.raises(ValueError, match="flows without a start"):
        split_rows(
            flows(start_us=np.full(1000, UNKNOWN_TIME)), "time-ordered", val_size=0.1, test_size=0.1, seed=0
        )


def test_flows_of_two_hosts_in_five_minutes_are_in_one_part() -> None:
    whole = flows(start_us=10_000_000 * np.arange(1000))
    parts = split_rows(whole, "grouped", val_size=0.2, test_size=0.2, seed=1)
    groups = [
        {*zip(whole.pair[rows].tolist(), (whole.start_us[rows] // 300_000_000).tolist(), strict=True)}
        for rows in parts.values()
    ]
    assert all(groups)
    assert len(set.union(*groups)) == sum(map(len, groups))
