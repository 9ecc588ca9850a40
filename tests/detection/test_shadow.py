from __future__ import annotations

from detection.backlog import STEP_FLOWS
from detection.scorer import Scorer
from detection.shadow import Shadow, ShadowStatus
from flows.schema import COMMON_NAMES
from flows.table import FlowTable
from helpers.models import made_up_flows, make_record, make_scorer, typical_table

CHAMPION = make_scorer()
LENIENT = make_scorer(version="2").with_threshold(1.0)


def numbered(rows: int) -> FlowTable:
    return FlowTable.from_features(made_up_flows(rows)[0], COMMON_NAMES, "improved")


def _shadow(challenger: Scorer | None = LENIENT, **options: int) -> Shadow:
    shadow = Shadow(**options)
    shadow.set_models(CHAMPION, challenger)
    return shadow


def _offer(shadow: Shadow, table: FlowTable, champion: Scorer = CHAMPION) -> None:
    shadow.offer(table, champion.score(table))


def _status(shadow: Shadow) -> ShadowStatus:
    while shadow.waiting:
        shadow.step()
    status = shadow.status()
    assert status
    return status


def test_disagreements_are_counted_by_both_labels() -> None:
    shadow = _shadow()
    insufficient = typical_table([5, 0])
    insufficient.features[:, COMMON_NAMES.index("flow_duration")] = 0
    for table in (typical_table([0, 5, 5, 17]), insufficient, typical_table([])):
        _offer(shadow, table)
    status = _status(shadow)
    assert (status.name, status.version, status.champion_version) == ("ml-ids", "2", "1")
    assert (status.flows, status.waiting, status.skipped, status.error) == (6, 0, {}, None)
    assert status.disagreements == {("DoS Hulk", "benign"): 2, ("Portscan", "benign"): 1}


def test_a_verdict_against_none_is_a_disagreement() -> None:
    sure = make_scorer(make_record(insufficient=None), version="2")
    shadow = _shadow(sure)
    table = typical_table([5])
    table.features[:, COMMON_NAMES.index("flow_duration")] = 0
    _offer(shadow, table)
    (labels,) = _status(shadow).disagreements
    assert labels[0] == "insufficient"
    assert labels[1] == sure.score(table).label(0)


def test_more_than_may_wait_is_skipped_and_counted() -> None:
    shadow = _shadow(capacity=600)
    _offer(shadow, numbered(400))
    _offer(shadow, numbered(400))
    assert shadow.waiting == 600
    shadow.step()
    assert shadow.waiting == 600 - STEP_FLOWS
    status = _status(shadow)
    assert (status.flows, status.skipped) == (600, {"busy": 200})


def test_flows_that_the_challenger_cannot_read_are_refused_with_the_reason() -> None:
    shadow = _shadow(make_scorer(make_record(names=(*COMMON_NAMES, "icmp_code")), version="2"))
    _offer(shadow, typical_table([5, 0]))
    status = _status(shadow)
    assert (status.flows, status.skipped) == (0, {"features": 2})
    assert "icmp_code" in str(status.error)
    shadow.set_models(CHAMPION, make_scorer(make_record(dialect="cic-v4"), version="3"))
    _offer(shadow, typical_table([5]))
    assert _status(shadow).skipped == {"dialect": 1}


def test_counts_begin_anew_with_another_version_of_either() -> None:
    shadow = _shadow()
    _offer(shadow, typical_table([5]))
    assert _status(shadow).flows == 1
    shadow.set_models(make_scorer(), LENIENT.with_threshold(0.9))
    assert _status(shadow).flows == 1
    successor = make_scorer(version="3")
    _offer(shadow, typical_table([5]))
    shadow.set_models(successor, LENIENT)
    assert (_status(shadow).flows, _status(shadow).champion_version) == (0, "3")
    # An answer that the old champion still gave.
    _offer(shadow, typical_table([5]))
    assert _status(shadow).flows == 0
    _offer(shadow, typical_table([5]), successor)
    assert _status(shadow).flows == 1
    shadow.set_models(successor, make_scorer(version="4"))
    assert (_status(shadow).flows, _status(shadow).version) == (0, "4")


def test_without_a_challenger_nothing_waits() -> None:
    shadow = _shadow(None)
    _offer(shadow, typical_table([5]))
    shadow.step()
    assert (shadow.waiting, shadow.status(), shadow.challenger) == (0, None, None)
