from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.alert import AlertRevision, Closing
from alerting.policy import REVISE_SECONDS, AlertPolicy
from alerting.rules_file import RulesFile
from helpers.alerts import HandClock, attacks, packed, taken
from helpers.flows import flow_table, verdicts_for


@pytest.fixture
def hands() -> HandClock:
    return HandClock()


def _policy(hands: HandClock, **options: Any) -> AlertPolicy:
    return AlertPolicy(aggregated={"sidecar", "demo"}, clock=hands.clock, **options)


def _told(alerts: list[AlertRevision]) -> list[tuple[int, int, Closing | None]]:
    return [(alert.revision, alert.count, alert.closing) for alert in alerts]


def test_the_first_verdict_opens_at_once(hands: HandClock) -> None:
    policy = _policy(hands)
    (alert,) = taken(policy, *attacks(["10.0.0.1"] * 3))
    assert (alert.revision, alert.count, alert.closing) == (1, 1, None)
    assert alert.made_us == hands.us
    assert alert.flow.src_port == 40000
    assert policy.counts().open == 1


def test_benign_and_insufficient_flows_raise_nothing(hands: HandClock) -> None:
    policy = _policy(hands)
    table = flow_table(2)
    assert taken(policy, table, verdicts_for(table, [0, 0], insufficient=np.array([False, True]))) == []
    assert policy.counts().taken == 0


def test_an_alert_is_revised_at_most_every_30_seconds_and_closes_with_the_count(hands: HandClock) -> None:
    policy = _policy(hands)
    (opened,) = taken(policy, *attacks(["10.0.0.1"]))
    messages = []
    for _ in range(299):
        hands.pass_(1)
        messages += taken(policy, *attacks(["10.0.0.1"] * 2))
    hands.pass_(1)
    messages += policy.tick()
    assert {alert.alert_id for alert in messages} == {opened.alert_id}
    *revisions, last = _told(messages)
    assert revisions == [(2 + n, 1 + 2 * (30 * n + 29), None) for n in range(9)]
    assert last == (11, 599, Closing.WINDOW)
    assert policy.counts().open == 0


def test_a_tick_tells_the_news_of_a_flow_that_came_before_its_time(hands: HandClock) -> None:
    policy = _policy(hands)
    taken(policy, *attacks(["10.0.0.1"]))
    hands.pass_(10)
    assert taken(policy, *attacks(["10.0.0.1"], src_port=np.array([5], np.int32))) == []
    hands.pass_(19.5)
    assert list(policy.tick()) == []
    hands.pass_(0.5)
    (revised,) = policy.tick()
    assert (revised.revision, revised.count, revised.flow.src_port) == (2, 2, 5)
    hands.pass_(30)
    assert list(policy.tick()) == []


def test_after_a_pause_the_next_flow_is_told_at_once(hands: HandClock) -> None:
    policy = _policy(hands)
    taken(policy, *attacks(["10.0.0.1"]))
    hands.pass_(100)
    assert list(policy.tick()) == []
    (revised,) = taken(policy, *attacks(["10.0.0.1"] * 2, src_port=np.array([5, 6], np.int32)))
    assert (revised.revision, revised.count, revised.flow.src_port) == (2, 2, 5)
    hands.pass_(30)
    (revised,) = policy.tick()
    assert (revised.revision, revised.count, revised.flow.src_port) == (3, 3, 6)


def test_the_next_window_is_another_alert(hands: HandClock) -> None:
    policy = _policy(hands, window=60)
    (first,) = taken(policy, *attacks(["10.0.0.1"]))
    hands.pass_(60)
    closed, opened = taken(policy, *attacks(["10.0.0.1"]))
    assert (closed.alert_id, closed.closing, closed.count) == (first.alert_id, Closing.WINDOW, 1)
    assert (opened.revision, opened.closing) == (1, None)
    assert opened.alert_id != first.alert_id


def test_sources_classes_and_askers_have_alerts_of_their_own(hands: HandClock) -> None:
    policy = _policy(hands)
    alerts = taken(policy, *attacks(["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.1"], [17, 17, 5, 17]))
    alerts += taken(policy, *attacks(["10.0.0.1"]), source="demo")
    assert len({alert.alert_id for alert in alerts}) == len(alerts) == 4


def test_ten_attack_rows_of_a_request_are_ten_alerts_closed_at_once(hands: HandClock) -> None:
    policy = _policy(hands)
    alerts = taken(policy, *attacks(["10.0.0.1"] * 10), source="api")
    assert _told(alerts) == [(1, 1, Closing.SINGLE)] * 10
    assert len({alert.alert_id for alert in alerts}) == 10
    assert [alert.flow.src_port for alert in alerts] == list(range(40000, 40010))
    assert policy.counts().open == 0


def test_flows_without_a_source_address_are_never_aggregated(hands: HandClock) -> None:
    table = flow_table(3, src_addr=np.zeros((3, 16), np.uint8))
    alerts = taken(_policy(hands), table, verdicts_for(table, [17] * 3))
    assert [alert.closing for alert in alerts] == [Closing.SINGLE] * 3


def test_what_is_not_aggregated_by_choice(hands: HandClock) -> None:
    alerts = taken(AlertPolicy(clock=hands.clock), *attacks(["10.0.0.1"] * 3))
    assert [alert.closing for alert in alerts] == [Closing.SINGLE] * 3


def test_more_sources_than_may_be_open_close_the_oldest(hands: HandClock) -> None:
    policy = _policy(hands, max_open=3)
    messages = taken(policy, *attacks([f"10.0.0.{n}" for n in range(1, 6)]))
    closed = [alert.flow.src_addr[-1] for alert in messages if alert.closing is Closing.CAPACITY]
    assert closed == [1, 2]
    counts = policy.counts()
    assert (counts.open, counts.capacity, counts.opened, counts.closed) == (3, 3, 5, {"capacity": 2})


def test_the_end_of_the_service_closes_all(hands: HandClock) -> None:
    policy = _policy(hands)
    taken(policy, *attacks(["10.0.0.1", "10.0.0.1", "10.0.0.2"]))
    assert _told(list(policy.close())) == [(2, 2, Closing.SHUTDOWN), (2, 1, Closing.SHUTDOWN)]
    assert policy.counts().open == 0


@pytest.mark.parametrize("jump", [-(10**15), 10**15])
def test_a_clock_that_is_set_moves_no_window(hands: HandClock, jump: int) -> None:
    policy = _policy(hands)
    taken(policy, *attacks(["10.0.0.1"]))
    hands.us += jump
    assert list(policy.tick()) == []
    hands.pass_(300)
    (closed,) = policy.tick()
    assert (closed.closing, closed.made_us) == (Closing.WINDOW, hands.us)


def test_rules_suppress_by_name(hands: HandClock, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules: [{name: ours, source: 10.0.0.9}, {name: web, port: 443, class: DoS Hulk}]")
    policy = _policy(hands, rules=RulesFile(path))
    alerts = taken(policy, *attacks(["10.0.0.9", "10.0.0.1", "10.0.0.1", "10.0.0.9"], [5, 5, 17, 17]))
    assert [alert.flow.code for alert in alerts] == [17]
    counts = policy.counts()
    assert (counts.taken, counts.aggregated, counts.suppressed) == (4, 1, {"ours": 2, "web": 1})
    path.write_text("rules: []")
    hands.pass_(1)
    assert len(taken(policy, *attacks(["10.0.0.9"]))) == 1


def test_a_class_opens_no_more_alerts_an_hour_than_its_budget(hands: HandClock) -> None:
    policy = _policy(hands, per_hour={17: 2})
    assert len(taken(policy, *attacks(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]))) == 2
    # Open alerts go on counting, and other classes are free.
    taken(policy, *attacks(["10.0.0.1"] * 5))
    assert len(taken(policy, *attacks(["10.0.0.3"], [5]))) == 1
    counts = policy.counts()
    assert (counts.taken, counts.aggregated, counts.suppressed) == (10, 8, {"budget of Portscan": 2})
    hands.pass_(1800)
    opened = [alert for alert in taken(policy, *attacks(["10.0.0.3", "10.0.0.4"])) if alert.revision == 1]
    assert len(opened) == 1


def test_a_flood_is_one_alert_a_window_and_class(hands: HandClock) -> None:
    policy = _policy(hands)
    messages = []
    for _ in range(25):
        batch = flow_table(4000, src_addr=packed(*["10.0.0.1"] * 4000))
        messages += taken(policy, batch, verdicts_for(batch, [17, 5] * 2000))
        hands.pass_(0.4)
    assert _told(messages) == [(1, 1, None)] * 2
    hands.pass_(300)
    assert _told(list(policy.tick())) == [(2, 50_000, Closing.WINDOW)] * 2


step = st.one_of(
    st.tuples(
        st.just("flows"),
        st.lists(st.tuples(st.integers(0, 4), st.sampled_from([0, 5, 17])), max_size=8),
        st.sampled_from(["sidecar", "demo", "api"]),
    ),
    st.tuples(st.just("pass"), st.floats(0, 400)),
    st.tuples(st.just("jump"), st.integers(-(10**15), 10**15)),
)


def _play(steps: list[Any], hands: HandClock, policy: AlertPolicy) -> list[tuple[float, AlertRevision]]:
    """Let a policy live through steps; returns its messages with their times."""
    messages: list[tuple[float, AlertRevision]] = []
    for kind, *values in steps:
        if kind == "pass":
            hands.pass_(values[0])
            messages += [(hands.seconds, alert) for alert in policy.tick()]
        elif kind == "jump":
            hands.us = max(0, hands.us + values[0])
        elif values[0]:
            # Source 0 stands for an unknown address.
            sources = packed(*[f"10.0.0.{n}" if n else "::" for n, _ in values[0]])
            table = flow_table(len(sources), src_addr=sources)
            verdicts = verdicts_for(table, [code for _, code in values[0]])
            messages += [(hands.seconds, alert) for alert in policy.take(table, verdicts, values[1])]
    return messages + [(hands.seconds, alert) for alert in policy.close()]


@settings(deadline=None, max_examples=60)
@given(st.lists(step, max_size=25), st.integers(1, 5), st.sampled_from([20.0, 300.0]))
def test_every_attack_is_counted_once_and_revisions_are_in_order(
    steps: list[Any], max_open: int, window: float
) -> None:
    hands = HandClock()
    policy = _policy(hands, max_open=max_open, window=window, per_hour={5: 3})
    messages = _play(steps, hands, policy)
    attacks_in = sum(code != 0 for kind, *rest in steps if kind == "flows" for _, code in rest[0])
    counts = policy.counts()
    assert counts.taken == counts.aggregated + sum(counts.suppressed.values()) == attacks_in
    assert sum(alert.count for _, alert in messages if alert.closing) == counts.aggregated
    by_id: dict[str, list[tuple[float, AlertRevision]]] = defaultdict(list)
    for at, alert in messages:
        by_id[alert.alert_id].append((at, alert))
    assert counts.opened == sum(counts.closed.values()) == len(by_id)
    assert counts.messages == len(messages)
    assert Counter(counts.closed) == Counter(alert.closing for _, alert in messages if alert.closing)
    for history in by_id.values():
        assert [alert.revision for _, alert in history] == list(range(1, len(history) + 1))
        assert [alert.closing is None for _, alert in history] == [True] * (len(history) - 1) + [False]
        told = [at for at, alert in history if alert.closing is None]
        assert all(later - earlier >= REVISE_SECONDS for earlier, later in itertools.pairwise(told))
        counted = [alert.count for _, alert in history]
        assert counted == sorted(counted)


def test_a_flow_counts_once_however_often_it_is_scored(hands: HandClock) -> None:
    policy = _policy(hands)
    table, verdicts = attacks(["10.0.0.1"] * 3)
    taken(policy, replace(table, provisional=np.array([True, True, False])), verdicts)
    again = replace(table, revision=np.array([1, 1, 0], np.int32)).take(np.arange(2))
    taken(policy, again, verdicts.take(np.arange(2)))
    counts = policy.counts()
    assert (counts.taken, counts.aggregated) == (5, 3)
    assert counts.suppressed == {"counted provisionally": 2}
