from __future__ import annotations

import numpy as np
import pytest

from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.models import made_up_flows
from training import baseline
from training.baseline import BaselineSample, joined
from training.dataset import LabelledFlows


def benign(flows: int, first: int = 0) -> FlowTable:
    """Return flows whose start counts on from `first`; their duration is one more."""
    features, _ = made_up_flows(flows, classes=(0,), seed=1)
    starts = first + np.arange(flows)
    features[:, COMMON_NAMES.index("flow_duration")] = 1 + starts
    return FlowTable.from_features(features, COMMON_NAMES, "improved", start_us=starts, end_us=starts + 1)


def taken(*tables: FlowTable) -> baseline.Baseline:
    sample = BaselineSample()
    for table in tables:
        sample.add(table)
    return sample.baseline()


def test_the_latest_flows_are_held_out_whatever_the_order_of_the_files() -> None:
    found = taken(benign(100, first=100), benign(100))
    duration = COMMON_NAMES.index("flow_duration")
    assert found.train[:, duration].tolist() == [1 + start for start in range(140)]
    assert found.held.start_us.tolist() == list(range(140, 200))
    assert (found.flows, found.insufficient) == (200, 0)


def test_flows_that_no_model_judges_are_counted_and_left_out() -> None:
    table = benign(150)
    table.column("flow_duration")[:30] = 0
    found = taken(table)
    assert (found.flows, found.insufficient) == (150, 30)
    assert len(found.train) + len(found.held) == 120


def test_many_flows_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MOST_FLOWS", 100)
    found = taken(*(benign(70, first=70 * number) for number in range(10)))
    starts = found.train[:, COMMON_NAMES.index("flow_duration")] - 1
    every = [*starts.tolist(), *found.held.start_us.tolist()]
    assert found.flows == 700
    assert 50 <= len(every) <= 100
    assert set(np.diff(every)) == {8}


def test_too_little_is_told() -> None:
    with pytest.raises(ValueError, match=r"the baseline has 99 flows that a model can judge; 100 are needed"):
        taken(benign(99))


def test_lacking_features_are_named() -> None:
    narrow = FlowTable.from_features(np.ones((3, 2)), COMMON_NAMES[:2], "improved")
    with pytest.raises(KeyError, match="tot_bwd_pkts"):
        taken(narrow)


def test_joins_the_base_set_as_benign() -> None:
    features, codes = made_up_flows(40, seed=2)
    base = LabelledFlows.of(features, COMMON_NAMES, codes, "improved")
    both = joined(base, taken(benign(100)))
    assert len(both) == len(base) + 70
    assert (both.codes[len(base) :] == 0).all()
    assert both.features.shape == (len(both), len(COMMON_NAMES))
