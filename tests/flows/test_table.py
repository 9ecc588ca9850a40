from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.schema import COMMON_NAMES, IMPROVED_NAMES, schema_id
from flows.table import UNKNOWN_TIME, FlowTable, concat_tables
from helpers.flows import assert_same_table, flow_table, flow_tables


def test_identity_is_unknown_unless_given():
    table = FlowTable.from_features(np.zeros((2, 76)), COMMON_NAMES, "improved")
    assert (table.source(0), table.destination(1)) == (None, None)
    assert table.src_port.tolist() == table.protocol.tolist() == [-1, -1]
    assert table.start_us.tolist() == [UNKNOWN_TIME] * 2
    assert table.flow_uid.tolist() == [0, 1]
    assert table.schema_id == schema_id(COMMON_NAMES)


@pytest.mark.parametrize("shape", [(2, 75), (76,)])
def test_features_must_fit_their_names(shape):
    with pytest.raises(ValueError, match="features must be n x 76"):
        FlowTable.from_features(np.zeros(shape), COMMON_NAMES, "improved")


def test_features_are_chosen_by_name():
    table = flow_table()
    assert table.column("flow_duration").tolist() == [406_000] * 3
    chosen = table.select(["idle_min", "tot_fwd_pkts"])
    assert chosen.tolist() == [[0, 6]] * 3
    assert chosen.flags.c_contiguous
    with pytest.raises(KeyError, match="no_such"):
        table.column("no_such")
    with pytest.raises(KeyError, match="a, b"):
        table.select(["a", "idle_min", "b"])


@given(flow_tables(), st.data())
def test_rows_taken_apart_and_joined_are_the_table(table, data):
    cut = data.draw(st.integers(0, len(table)))
    parts = [table.take(slice(0, cut)), table.take(slice(cut, None))]
    assert [len(part) for part in parts] == [cut, len(table) - cut]
    assert_same_table(concat_tables(parts), table)
    mask = np.arange(len(table)) < cut
    assert_same_table(table.take(mask), parts[0])


def test_only_tables_of_one_kind_are_joined():
    with pytest.raises(ValueError, match="no table to join"):
        concat_tables([])
    for other in (flow_table(names=COMMON_NAMES), flow_table(dialect="cic-v4")):
        with pytest.raises(ValueError, match="different schemas or dialects"):
            concat_tables([flow_table(names=IMPROVED_NAMES), other])


def test_extras_that_not_all_have_are_dropped_when_joined():
    labels = {"label": np.array(["Bot"], object), "id": np.array([1])}
    joined = concat_tables([flow_table(1, extras=labels), flow_table(1, extras={"id": np.array([2])})])
    assert {name: values.tolist() for name, values in joined.extras.items()} == {"id": [1, 2]}
