from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings

from alerting.alert_flow import FlowRows
from flows.explanations import Explanation
from flows.table import FlowTable
from flows.verdict_record import verdict_records
from flows.verdicts import Verdicts
from helpers.flows import flow_table, tables_with_verdicts, verdicts_for


@settings(deadline=None)
@given(tables_with_verdicts())
def test_a_kept_flow_is_the_row_it_was_made_of(pair: tuple[FlowTable, Verdicts]) -> None:
    table, verdicts = pair
    verdicts = dataclasses.replace(verdicts, insufficient=np.zeros(len(table), np.bool_))
    rows = FlowRows(table, verdicts, "api")
    for row in range(len(rows)):
        kept = rows.flow(row)
        (expected,) = verdict_records(
            table.take(slice(row, row + 1)), verdicts.take(slice(row, row + 1)), source="api"
        )
        (found,) = verdict_records(kept.table(), kept.verdicts(), source=kept.shared.source)
        assert found | {"timestamp": None} == expected | {"timestamp": None}


def test_a_kept_flow_keeps_no_batch_alive() -> None:
    table = flow_table(100)
    assert FlowRows(table, verdicts_for(table), "sidecar").flow(3).features.base is None


def test_the_explanation_of_the_verdict_stays_with_the_flow() -> None:
    table = flow_table(2)
    explanation = Explanation(base=0.1, p_attack=0.9, contributions=(), rest=0.8)
    rows = FlowRows(table, verdicts_for(table, explanations=(None, explanation)), "api")
    assert (rows.flow(0).explanation, rows.flow(1).explanation) == (None, explanation)
    assert rows.flow(1).verdicts().explanations == (explanation,)


def test_features_by_name() -> None:
    table = flow_table(1)
    flow = FlowRows(table, verdicts_for(table), "sidecar").flow(0)
    assert flow.feature("tot_fwd_pkts") == 6
    assert flow.feature("no such feature") is None
