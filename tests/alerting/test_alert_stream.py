from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alerting.alert import AlertRevision
from alerting.alert_log import NAME, AlertLog
from alerting.alert_stream import EXPLANATION_BURST, EXPLANATIONS_PER_SECOND, AlertStream
from alerting.policy import AlertPolicy
from flows.explanations import Explanation
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.alerts import HandClock, attacks, packed, validated
from helpers.flows import flow_table, verdicts_for

EXPLANATION = Explanation(base=0.1, p_attack=0.9, contributions=(), rest=0.8)


@pytest.fixture
def hands() -> HandClock:
    return HandClock()


def _stream(hands: HandClock, consumers: dict[str, Any], **options: Any) -> AlertStream:
    policy = AlertPolicy(aggregated={"sidecar"}, clock=hands.clock)
    return AlertStream(policy, consumers, clock=hands.clock, **options)


def test_consumers_get_every_message_in_order(hands: HandClock) -> None:
    one: list[AlertRevision] = []
    other: list[AlertRevision] = []
    stream = _stream(hands, {"one": one.extend, "other": other.extend})
    stream.take(*attacks(["10.0.0.1"] * 2 + ["10.0.0.2"]), "sidecar")
    hands.pass_(30)
    stream.tick()
    stream.close()
    assert one == other
    assert [(alert.revision, alert.count) for alert in one] == [(1, 1), (1, 1), (2, 2), (3, 2), (2, 1)]
    assert stream.status().policy.messages == len(one)


def test_a_consumer_that_fails_is_counted_and_costs_the_others_nothing(hands: HandClock) -> None:
    def broken(alerts: Sequence[AlertRevision]) -> None:
        raise RuntimeError("a defect")

    whole: list[AlertRevision] = []
    stream = _stream(hands, {"broken": broken, "whole": whole.extend})
    stream.take(*attacks([f"10.0.1.{n}" for n in range(200)] * 2), "api")
    assert len(whole) == 400
    status = stream.status()
    assert (status.failed, status.policy.messages) == ({"broken": 400}, 400)


def test_what_opens_or_revises_is_explained_by_the_model_that_judged_it(hands: HandClock) -> None:
    asked: list[tuple[int, str]] = []

    def explain(table: FlowTable, verdicts: Verdicts) -> tuple[Explanation | None, ...]:
        asked.append((int(table.src_port[0]), verdicts.model_version))
        return (EXPLANATION if len(asked) != 2 else None,)

    messages: list[AlertRevision] = []
    stream = _stream(hands, {"keep": messages.extend}, explain=explain)
    stream.take(*attacks(["10.0.0.1"] * 2), "sidecar")
    hands.pass_(30)
    stream.tick()
    stream.close()
    assert asked == [(40000, "7"), (40001, "7")]
    assert [message.explanation for message in messages] == [EXPLANATION, None, None]
    assert stream.status().explained == {"given": 1, "unavailable": 1}


def test_an_explanation_that_the_verdict_has_is_not_asked_for(hands: HandClock) -> None:
    messages: list[AlertRevision] = []
    stream = _stream(hands, {"keep": messages.extend}, explain=lambda *_: (None,))
    table, _ = attacks(["10.0.0.1"])
    stream.take(table, verdicts_for(table, [17], explanations=(EXPLANATION,)), "api")
    assert messages[0].explanation == EXPLANATION
    assert stream.status().explained == {}


def test_the_file_with_the_evidence_is_named_from_the_second_message_on(hands: HandClock) -> None:
    messages: list[AlertRevision] = []
    stream = _stream(hands, {"keep": messages.extend}, name_evidence=lambda alert_id: f"{alert_id}.pcap")
    stream.take(*attacks(["10.0.0.1"]), "sidecar")
    stream.close()
    assert [message.evidence for message in messages] == [None, f"{messages[0].alert_id}.pcap"]


def test_explaining_has_a_budget(hands: HandClock) -> None:
    stream = _stream(hands, {}, explain=lambda *_: (EXPLANATION,))
    stream.take(*attacks(["10.0.0.1"] * 500), "api")
    assert stream.status().explained == {"given": EXPLANATION_BURST, "over budget": 500 - EXPLANATION_BURST}
    hands.pass_(1)
    stream.take(*attacks(["10.0.0.1"] * 500), "api")
    assert stream.status().explained["given"] == EXPLANATION_BURST + EXPLANATIONS_PER_SECOND


def test_an_explanation_that_fails_leaves_the_alert(hands: HandClock) -> None:
    def explain(table: FlowTable, verdicts: Verdicts) -> tuple[Explanation | None, ...]:
        raise RuntimeError("a defect")

    messages: list[AlertRevision] = []
    stream = _stream(hands, {"keep": messages.extend}, explain=explain)
    stream.take(*attacks(["10.0.0.1"]), "sidecar")
    assert len(messages) == 1
    assert stream.status().explained == {"failed": 1}


def test_a_flood_of_one_scanner_is_a_handful_of_lines(hands: HandClock, tmp_path: Path) -> None:
    asked: list[int] = []

    def explain(table: FlowTable, verdicts: Verdicts) -> tuple[Explanation | None, ...]:
        asked.append(len(table))
        return (EXPLANATION,)

    log = AlertLog(tmp_path)
    stream = _stream(hands, {"alerts.json": log.write}, explain=explain)
    for second in range(100):
        table = flow_table(1000, dst_port=(np.arange(1000) + 1000 * second % 65536).astype(np.int32))
        stream.take(table, verdicts_for(table, [17] * 1000), "sidecar")
        hands.pass_(0.1)
    stream.tick()
    hands.pass_(300)
    stream.tick()
    log.close()
    lines = validated((tmp_path / NAME).read_text())
    assert [(line["ml_ids"]["revision"], line["ml_ids"]["count"]) for line in lines] == [(1, 1), (2, 100_000)]
    assert lines[-1]["ml_ids"]["state"] == "closed"
    assert len({line["ml_ids"]["alert_id"] for line in lines}) == 1
    assert asked == [1]


def test_a_flood_from_made_up_sources_is_bounded(hands: HandClock, tmp_path: Path) -> None:
    log = AlertLog(tmp_path)
    policy = AlertPolicy(aggregated={"sidecar"}, clock=hands.clock, max_open=2000)
    stream = AlertStream(policy, {"alerts.json": log.write}, clock=hands.clock)

    def flood(of: int) -> None:
        for number in range(of, of + 4000, 1000):
            sources = [f"10.{n >> 8 & 255}.{n & 255}.1" for n in range(number, number + 1000)]
            table = flow_table(1000, src_addr=packed(*sources))
            stream.take(table, verdicts_for(table, [17] * 1000), "sidecar")

    tracemalloc.start()
    flood(0)
    before = tracemalloc.get_traced_memory()[0]
    flood(4000)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    # The second flood may fill the cache of ten thousand addresses.
    assert after - before < 2_000_000
    assert before < 2000 * 4000
    stream.close()
    log.close()
    counts = stream.status().policy
    assert counts.closed == {"capacity": 6000, "shutdown": 2000}
    assert (counts.opened, counts.messages) == (8000, 16_000)
    assert log.status().written == counts.messages
