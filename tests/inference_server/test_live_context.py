from __future__ import annotations

import numpy as np
import pytest

from capture.meter import FlowMeter
from capture.rules import LiveRules
from context.features import CONTEXT_NAMES
from flows.schema import IMPROVED_NAMES
from helpers.packets import START_US, connection, feed, udp
from inference_server.live_context import LiveContext

SECOND = 1_000_000
AT_ONCE = LiveRules(linger_seconds=0.1)


class Wanted:
    def __init__(self, wanted: bool) -> None:
        self.wanted = wanted

    def __call__(self) -> bool:
        return self.wanted


@pytest.fixture
def meter() -> FlowMeter:
    return FlowMeter(live_rules=AT_ONCE)


def unknown(values: np.ndarray) -> bool:
    return bool(np.isnan(values).all())


def test_without_a_reader_flows_pass_as_they_are(meter: FlowMeter) -> None:
    context = LiveContext(Wanted(False), flows=10)
    assert list(context.follow(meter)) == []
    feed(meter, connection())
    [ended] = meter.flush()
    [passed] = context.add(ended)
    assert passed is ended
    assert len(meter.take_starts()) == 0
    assert (list(context.follow(meter)), list(context.rest()), context.waiting) == ([], [], 0)


def test_a_flow_that_ends_young_waits_until_it_is_two_seconds_old_though_the_wire_is_silent(
    meter: FlowMeter,
) -> None:
    context = LiveContext(Wanted(True), flows=10)
    assert list(context.follow(meter)) == []
    feed(meter, connection())
    list(meter.expire(START_US + SECOND))
    [ended] = meter.drain()
    assert list(context.add(ended)) == []
    assert list(context.follow(meter)) == []
    assert context.waiting == len(ended) == 1
    list(meter.expire(START_US + 2 * SECOND + 1))
    [known] = context.follow(meter)
    assert context.waiting == 0
    assert known.feature_names == (*IMPROVED_NAMES, *CONTEXT_NAMES)
    assert known.column("src_flows_2s").tolist() == [1]


def test_what_waits_leaves_at_the_stop(meter: FlowMeter) -> None:
    context = LiveContext(Wanted(True), flows=10)
    list(context.follow(meter))
    feed(meter, [*connection(), udp(SECOND, dst=("10.0.0.9", 53))])
    [ended] = meter.flush()
    assert list(context.add(ended)) == []
    left = [*context.follow(meter), *context.rest()]
    assert sum(map(len, left)) == 2
    assert sorted(left[0].column("src_flows_10s").tolist()) == [1, 2]


def test_a_model_that_begins_to_read_context_has_it_of_flows_that_begin_then(meter: FlowMeter) -> None:
    wanted = Wanted(False)
    context = LiveContext(wanted, flows=10)
    list(context.follow(meter))
    feed(meter, [udp(0)])
    wanted.wanted = True
    assert list(context.follow(meter)) == []
    feed(meter, connection(10 * SECOND))
    [ended] = meter.flush()
    [found] = [*context.add(ended), *context.follow(meter)]
    flows = dict(zip(found.protocol.tolist(), found.select(CONTEXT_NAMES), strict=True))
    assert unknown(flows[17])
    assert flows[6][0] == 1


def test_when_no_model_reads_context_any_more_nothing_waits(meter: FlowMeter) -> None:
    wanted = Wanted(True)
    context = LiveContext(wanted, flows=10)
    list(context.follow(meter))
    feed(meter, connection())
    list(meter.expire(START_US + SECOND))
    [ended] = meter.drain()
    assert list(context.add(ended)) == []
    wanted.wanted = False
    [left] = context.follow(meter)
    assert unknown(left.select(CONTEXT_NAMES))
    feed(meter, connection(5 * SECOND))
    [plain] = meter.flush()
    assert list(context.add(plain)) == [plain]
    assert plain.feature_names == IMPROVED_NAMES
