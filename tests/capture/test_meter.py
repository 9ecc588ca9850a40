from __future__ import annotations

import pytest

from capture.layout import FLOW
from capture.meter import FlowMeter
from helpers.packets import connection, feed, udp


def test_a_meter_needs_room() -> None:
    with pytest.raises(ValueError, match="max_flows must be at least 1, not 0"):
        FlowMeter(max_flows=0)


def test_a_flow_takes_at_most_640_bytes() -> None:
    assert FLOW.itemsize <= 640


def test_a_full_output_is_given_out_in_between() -> None:
    meter = FlowMeter()
    packets = [packet for n in range(5000) for packet in connection(n * 10_000, port=7)]
    tables = [*feed(meter, packets), *meter.flush()]
    assert len(tables) > 1
    assert sum(map(len, tables)) == 5000


def test_counters_say_what_was_ignored() -> None:
    meter = FlowMeter()
    feed(meter, [udp(0)], link=105)
    assert meter.counters().ignored["link_type"] == 1


def test_uids_of_two_meters_differ() -> None:
    uids = set()
    for _ in range(2):
        meter = FlowMeter()
        feed(meter, [udp(0)])
        uids.update(uid for table in meter.flush() for uid in table.flow_uid.tolist())
    assert len(uids) == 2
