from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.csv_files import read_csv
from flows.dialects import PYTHON
from flows.parquet_files import read_parquet
from flows.schema import BY_NAME, COMMON_NAMES
from flows.table import FlowTable
from flows.units import FEW_ROWS, to_schema_units, unit_warnings
from helpers.flows import SHARED, flow_table, needs_shared

IN_SECONDS = {name: 1e-6 for name in COMMON_NAMES if BY_NAME[name].unit == "us"}


def scaled(factors, **columns):
    table = flow_table(names=COMMON_NAMES, **columns)
    for name, factor in factors.items():
        table.column(name)[:] *= factor
    return table


def test_23_features_are_times():
    assert len(IN_SECONDS) == 23


def test_seconds_become_microseconds_for_one_dialect_only():
    features = np.ones((2, 3))
    names = ("flow_duration", "tot_fwd_pkts", "idle_mean")
    to_schema_units(features, names, "improved")
    assert (features == 1).all()
    to_schema_units(features, names, PYTHON)
    assert features.tolist() == [[1e6, 1, 1e6]] * 2


def test_flows_that_agree_give_no_warning():
    assert unit_warnings(flow_table()) == []
    assert unit_warnings(flow_table(0)) == []


def test_times_in_seconds_give_the_fix():
    (warning,) = unit_warnings(scaled(IN_SECONDS))
    assert "flow_duration contradicts flow_pkts_s and flow_byts_s by a factor of 1e+06 in 3 of 3" in warning
    assert "X-Flow-Dialect: python-cicflowmeter" in warning


def test_one_converted_time_contradicts_the_others():
    (warning,) = unit_warnings(scaled({"flow_iat_mean": 1e-6}))
    assert "flow_duration contradicts flow_iat_mean by a factor of 1e+06" in warning


def test_microseconds_declared_as_seconds_are_told_so():
    factors = dict.fromkeys(IN_SECONDS, 1e6)
    (warning,) = unit_warnings(scaled(factors, dialect=PYTHON))
    assert "leave the dialect out" in warning


@pytest.mark.parametrize("features", [{"flow_duration": 0.0}, {"flow_pkts_s": np.inf, "flow_byts_s": np.nan}])
def test_what_cannot_be_compared_is_no_contradiction(features):
    assert unit_warnings(flow_table(features=features)) == []


def test_tables_without_these_features_are_not_judged():
    assert unit_warnings(flow_table(names=["flow_duration"])) == []


@needs_shared
def test_real_flows_of_every_set_agree():
    assert unit_warnings(read_parquet(SHARED / "data" / "cic-ids2017-improved" / "flows.parquet")) == []
    assert unit_warnings(read_csv(SHARED / "data" / "cic-ids2018" / "unlabelled_1000.csv")) == []
    for path in sorted((SHARED / "reference").glob("*/*.csv")):
        assert unit_warnings(read_csv(path)) == [], path
    for path in sorted((SHARED / "data" / "cic-ids2017-original").glob("*.xz")):
        assert unit_warnings(read_csv(path)) == [], path


VALUES = st.sampled_from([0.0, -1.0, 1.0, 5.0, 1e3, 1e6, 1e9, 1e-6, np.inf, np.nan])


@given(st.lists(st.lists(VALUES, min_size=8, max_size=8), min_size=1, max_size=12))
def test_many_rows_are_held_to_the_same_rule_as_few(rows):
    names = ("tot_fwd_pkts", "tot_bwd_pkts", "totlen_fwd_pkts", "totlen_bwd_pkts")
    names += ("flow_duration", "flow_pkts_s", "flow_byts_s", "flow_iat_mean")
    features = np.array(rows)
    few = unit_warnings(FlowTable.from_features(features, names, "improved"))
    many = unit_warnings(FlowTable.from_features(np.tile(features, (1 + FEW_ROWS, 1)), names, "improved"))
    times = 1 + FEW_ROWS
    assert few == [
        re.sub(r"in (\d+) of (\d+)", lambda m: f"in {int(m[1]) // times} of {int(m[2]) // times}", each)
        for each in many
    ]
