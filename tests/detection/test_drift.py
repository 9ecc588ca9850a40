from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from detection.drift import (
    ENOUGH_FLOWS,
    SHIFTED_PSI,
    SLOT_SAMPLE,
    SLOT_SECONDS,
    SLOTS,
    Drift,
    DriftStatus,
    stability_index,
)
from detection.record import BenignQuantiles, ModelRecord
from flows.schema import COMMON_NAMES, IMPROVED_NAMES
from flows.table import FlowTable
from helpers.flows import verdicts_for
from helpers.models import make_record

LEVELS = np.linspace(0.0, 1.0, 21)
NAMES = COMMON_NAMES[:4]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.seconds = 12_345.0

    def __call__(self) -> float:
        return self.seconds


def _normal(rows: int, *, seed: int, shift: float = 0.0) -> NDArray[np.float64]:
    """Log-normal features, one of them whole numbers."""
    values = np.exp(np.random.default_rng(seed).normal(shift, 1.0, (rows, len(NAMES))))
    values[:, 3] = np.floor(values[:, 3])
    return values


def _record(trained: NDArray[np.float64]) -> ModelRecord:
    values = tuple(map(tuple, np.quantile(trained, LEVELS, axis=0).T.tolist()))
    record = make_record(names=NAMES, insufficient=None)
    return record.model_copy(
        update={"benign_quantiles": BenignQuantiles(levels=tuple(LEVELS.tolist()), values=values)}
    )


def _add(drift: Drift, values: NDArray[np.float64], names: tuple[str, ...] = NAMES, **columns: Any) -> None:
    table = FlowTable.from_features(values, names, "improved", **columns)
    drift.add(table, verdicts_for(table))


def _status(drift: Drift) -> DriftStatus:
    status = drift.status()
    assert status
    return status


RECORD = _record(_normal(20_000, seed=0))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def drift(clock: Clock) -> Drift:
    watching = Drift(clock=clock)
    watching.watch(RECORD)
    return watching


def test_the_index_is_the_formulas() -> None:
    # By hand: (0.2 - 0.5) ln(0.2 / 0.5) + (0.8 - 0.5) ln(0.8 / 0.5) = 0.27489 + 0.14100
    assert_allclose(stability_index(np.array([[0.5, 0.5]]), np.array([[0.2, 0.8]])), [0.41589], atol=1e-5)
    # An empty bin counts as 0.0001: (0.0001 - 0.1) ln(0.001) + (1 - 0.9) ln(1 / 0.9)
    expected = (1e-4 - 0.1) * math.log(1e-3) + 0.1 * math.log(1 / 0.9)
    assert_allclose(stability_index(np.array([[0.1, 0.9]]), np.array([[0.0, 1.0]])), [expected])


def test_the_same_traffic_is_stable_and_shifted_traffic_is_not(drift: Drift) -> None:
    _add(drift, _normal(5_000, seed=1))
    status = _status(drift)
    assert status.flows == 5_000
    assert max(status.psi.values()) < 0.05
    assert (status.shifted, status.share, status.drifting) == ({}, 0.0, False)
    _add(drift, _normal(5_000, seed=2, shift=2.0))
    status = _status(drift)
    assert set(status.shifted) == set(NAMES)
    assert list(status.shifted.values()) == sorted(status.shifted.values(), reverse=True)
    assert min(status.shifted.values()) > SHIFTED_PSI
    assert status.drifting


def test_one_shifted_feature_is_named(drift: Drift) -> None:
    values = _normal(2_000, seed=1)
    values[:, 1] *= 20
    _add(drift, values)
    assert list(_status(drift).shifted) == [NAMES[1]]
    assert _status(drift).share == 0.25


def test_what_is_not_known_of_some_flows_shifts_nothing(clock: Clock) -> None:
    record = RECORD.model_copy(
        update={"preprocessing": RECORD.preprocessing.model_copy(update={"nan": None})}
    )
    drift = Drift(clock=clock)
    drift.watch(record)
    values = _normal(5_000, seed=1)
    values[::2, 1], values[:, 2] = np.nan, np.nan
    _add(drift, values)
    assert max(_status(drift).psi.values()) < 0.05
    assert _status(drift).psi[NAMES[2]] == 0


@settings(max_examples=20)
@given(st.integers(0, 2**31), st.integers(1, 40))
def test_order_and_batches_do_not_matter(seed: int, parts: int) -> None:
    values = _normal(1_000, seed=3, shift=0.5)
    shuffled = np.random.default_rng(seed).permutation(values)
    whole, portions = Drift(clock=Clock()), Drift(clock=Clock())
    for watching, tables in ((whole, [values]), (portions, np.array_split(shuffled, parts))):
        watching.watch(RECORD)
        for table in tables:
            _add(watching, table)
    assert whole.status() == portions.status()


def test_few_flows_say_nothing(drift: Drift) -> None:
    _add(drift, _normal(ENOUGH_FLOWS - 1, seed=1, shift=5.0))
    assert _status(drift) == DriftStatus(ENOUGH_FLOWS - 1, {})
    assert not _status(drift).drifting
    _add(drift, _normal(1, seed=1))
    assert _status(drift).drifting


def test_an_hour_later_it_is_forgotten(drift: Drift, clock: Clock) -> None:
    _add(drift, _normal(1_000, seed=1, shift=5.0))
    clock.seconds += SLOT_SECONDS
    _add(drift, _normal(600, seed=1))
    assert _status(drift).flows == 1_600
    clock.seconds += (SLOTS - 1) * SLOT_SECONDS
    assert _status(drift).flows == 600
    assert not _status(drift).drifting
    clock.seconds += SLOT_SECONDS
    assert _status(drift).flows == 0
    _add(drift, _normal(700, seed=1))
    clock.seconds += 100 * SLOT_SECONDS
    assert _status(drift).flows == 0


def test_only_whole_flows_that_the_model_can_judge_are_counted(drift: Drift) -> None:
    values = _normal(900, seed=1)
    provisional = np.arange(900) < 100
    insufficient = np.arange(900) >= 700
    table = FlowTable.from_features(values, NAMES, "improved", provisional=provisional)
    drift.add(table, verdicts_for(table, insufficient=insufficient))
    assert _status(drift).flows == 600


def test_features_are_found_by_name(drift: Drift) -> None:
    values = np.ones((800, len(IMPROVED_NAMES)))
    columns = [IMPROVED_NAMES.index(name) for name in NAMES]
    values[:, columns] = _normal(800, seed=1)
    _add(drift, values, IMPROVED_NAMES)
    assert _status(drift).flows == 800
    assert not _status(drift).shifted
    _add(drift, values[:, :2], IMPROVED_NAMES[:2])
    assert _status(drift).flows == 800


def test_values_that_preprocessing_replaces_are_binned_as_what_they_become(drift: Drift) -> None:
    values = _normal(1_000, seed=1)
    values[:, 0] = np.where(np.arange(1_000) % 2, np.nan, -np.inf)
    _add(drift, values)
    assert list(_status(drift).shifted) == [NAMES[0]]


def test_of_a_flood_a_sample_stands_for_all(drift: Drift) -> None:
    values = _normal(3_000, seed=1)
    batches = 4 * SLOT_SAMPLE // len(values)
    for _ in range(batches):
        _add(drift, values)
    assert_allclose(_status(drift).flows, batches * len(values), rtol=0.01)
    assert max(_status(drift).psi.values()) < 0.05


def test_counts_begin_anew_with_other_training_flows(drift: Drift) -> None:
    _add(drift, _normal(1_000, seed=1))
    drift.watch(RECORD.model_copy(update={"threshold": 0.9}))
    assert _status(drift).flows == 1_000
    drift.watch(_record(_normal(1_000, seed=9, shift=3.0)))
    assert _status(drift).flows == 0
    _add(drift, _normal(1_000, seed=1))
    assert _status(drift).drifting


def test_nothing_is_said_without_a_model_or_its_quantiles() -> None:
    drift = Drift()
    _add(drift, _normal(1_000, seed=1))
    assert drift.status() is None
    empty = BenignQuantiles(levels=(), values=((),) * len(NAMES))
    drift.watch(RECORD.model_copy(update={"benign_quantiles": empty}))
    _add(drift, _normal(1_000, seed=1))
    assert drift.status() is None
