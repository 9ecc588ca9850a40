from __future__ import annotations

import uuid

import numpy as np
import pytest

from alerting.alert import SUMMARY, Alert, Closing, Summary
from alerting.alert_flow import FlowRows
from flows.addresses import pack_address
from flows.table import UNKNOWN_TIME
from helpers.alerts import packed
from helpers.flows import flow_table, verdicts_for


def _alert(rows: FlowRows) -> Alert:
    alert = Alert(rows, 0, now=0.0)
    for row in range(1, len(rows)):
        alert.add(rows, row)
    return alert


def test_what_a_revision_says() -> None:
    table = flow_table(
        3,
        dst_addr=packed("10.0.0.9", "10.0.0.8", "10.0.0.9"),
        dst_port=np.array([22, 22, 80], np.int32),
        start_us=np.array([300, 100, 200]),
        end_us=np.array([310, 390, 210]),
    )
    rows = FlowRows(table, verdicts_for(table, p_attack=np.array([0.6, 0.95, 0.7])), "sidecar")
    alert = _alert(rows)
    revision = alert.revise(0.0, 77)
    assert uuid.UUID(revision.alert_id).version == 4
    assert (revision.revision, revision.count, revision.made_us) == (1, 3, 77)
    assert (revision.first_us, revision.last_us) == (100, 390)
    assert revision.p_attack_max == 0.95
    assert revision.destinations == Summary((pack_address("10.0.0.9"), pack_address("10.0.0.8")))
    assert revision.ports == Summary((22, 80))
    assert revision.flow.flow_uid == 0
    assert not alert.untold
    alert.add(rows, 2)
    assert alert.untold


def test_what_is_unknown_stays_unknown() -> None:
    table = flow_table(
        1,
        dst_addr=np.zeros((1, 16), np.uint8),
        dst_port=np.array([-1], np.int32),
        start_us=np.array([UNKNOWN_TIME]),
        end_us=np.array([UNKNOWN_TIME]),
    )
    revision = _alert(FlowRows(table, verdicts_for(table), "api")).revise(0.0, 0)
    assert (revision.first_us, revision.last_us) == (UNKNOWN_TIME, UNKNOWN_TIME)
    assert (revision.destinations, revision.ports) == (Summary(), Summary())


def test_a_scan_of_all_ports_is_summed_up() -> None:
    table = flow_table(1000, dst_port=np.arange(1000, dtype=np.int32))
    revision = _alert(FlowRows(table, verdicts_for(table), "sidecar")).revise(0.0, 0)
    assert revision.ports == Summary(tuple(range(SUMMARY)), more=True)
    assert not revision.destinations.more


@pytest.mark.parametrize(
    ("closing", "made_by_a_flow"), [(None, True), *((why, why is Closing.SINGLE) for why in Closing)]
)
def test_which_revisions_a_flow_makes(closing: Closing | None, made_by_a_flow: bool) -> None:
    table = flow_table(1)
    alert = Alert(FlowRows(table, verdicts_for(table), "sidecar"), 0, now=0.0)
    assert alert.revise(0.0, 0, closing).opens_or_revises is made_by_a_flow
