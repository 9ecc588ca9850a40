from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import capture.meter
from capture.layout import Counter
from capture.meter import FlowMeter
from capture.rules import LiveRules
from helpers.packets import CLIENT, SERVER, START_US, Packet, connection, feed, reply, tcp, udp

SEEN = ("fwd_packets", "bwd_packets", "fwd_bytes", "bwd_bytes", "reset")
SECOND = 1_000_000


def noting(*, live: bool = False) -> FlowMeter:
    return FlowMeter(starts=True, live_rules=LiveRules() if live else None)


def seen(starts: Any) -> list[tuple[int, ...]]:
    return [tuple(int(start[name]) for name in SEEN) for start in starts]


def all_starts(meter: FlowMeter, packets: Sequence[Packet]) -> Any:
    feed(meter, packets)
    for _ in meter.flush():
        pass
    return meter.take_starts()


def test_a_flow_is_looked_at_when_it_is_two_seconds_old() -> None:
    meter = noting()
    feed(meter, [udp(0, 10), udp(2 * SECOND, 20), udp(2 * SECOND, 5, src=SERVER, dst=CLIENT)])
    assert len(meter.take_starts()) == 0
    feed(meter, [udp(2 * SECOND + 1, 1000)])
    [start] = meter.take_starts()
    assert seen([start]) == [(2, 1, 30, 5, 0)]
    assert (start["start"], start["dst_port"], start["protocol"]) == (START_US, 80, 17)
    assert len(meter.take_starts()) == 0


def test_a_flow_that_ends_sooner_is_looked_at_then() -> None:
    again = [tcp(SECOND, "S"), tcp(SECOND + 1, "A", 7)]
    first, second = all_starts(noting(), [*connection(), *again])
    assert seen([first, second]) == [(6, 4, 100, 1000, 0), (2, 0, 7, 0, 0)]
    assert second["uid"] == first["uid"] + 1


def test_a_refused_connection_was_reset() -> None:
    [start] = all_starts(noting(), [tcp(0, "S"), reply(10, "RA")])
    assert seen([start]) == [(1, 1, 0, 0, 1)]


def test_a_quiet_wire_makes_flows_old_too() -> None:
    meter = noting(live=True)
    feed(meter, [tcp(0, "S")])
    for _ in meter.expire(START_US + 2 * SECOND):
        pass
    assert len(meter.take_starts()) == 0
    for _ in meter.expire(START_US + 2 * SECOND + 1):
        pass
    assert seen(meter.take_starts()) == [(1, 0, 0, 0, 0)]


PACKETS = st.lists(
    st.tuples(
        st.integers(0, 3 * SECOND),
        st.integers(1, 3),
        st.sampled_from(["S", "A", "PA", "FA", "R"]),
        st.booleans(),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(PACKETS, st.integers(0, 30))
def test_a_wire_and_its_recording_begin_the_same_flows_however_they_are_cut(drawn: Any, cut: int) -> None:
    times = np.cumsum([gap for gap, *_ in drawn]).tolist()
    packets = []
    for at, (_, port, flags, forward) in zip(times, drawn, strict=True):
        client = (CLIENT[0], 40_000 + port)
        ends = {"src": client, "dst": SERVER} if forward else {"src": SERVER, "dst": client}
        packets.append(tcp(at, flags, port, **ends))
    whole = seen(all_starts(noting(live=True), packets))
    wire = noting(live=True)
    feed(wire, packets[:cut])
    if packets[:cut]:
        for _ in wire.expire(START_US + packets[:cut][-1].at_us):
            pass
    parts = seen(wire.take_starts())
    assert parts + seen(all_starts(wire, packets[cut:])) == whole


def test_what_ends_has_a_start_of_its_uid_and_time() -> None:
    packets = [packet for n in range(300) for packet in connection(n * 50_000, port=41_000 + n % 7)]
    meter = noting()
    tables = [*feed(meter, packets), *meter.flush()]
    starts = meter.take_starts()
    began = dict(zip(starts["uid"].tolist(), starts["start"].tolist(), strict=True))
    ended = {
        uid: start
        for table in tables
        for uid, start in zip(table.flow_uid.tolist(), table.start_us.tolist(), strict=True)
    }
    assert began == ended
    assert starts["uid"].tolist() == sorted(began)


def test_more_than_the_ring_holds_are_looked_at_sooner_and_none_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(capture.meter, "STARTS_AT_ONCE", 8)
    meter = noting()
    packets = [udp(at, 1, src=(CLIENT[0], 1000 + at)) for at in range(50)]
    starts = all_starts(meter, packets)
    assert (starts["start"] - START_US).tolist() == list(range(50))
    assert (starts["uid"] - starts["uid"][0]).tolist() == list(range(50))
    assert meter.starts_hurried > 0


def test_without_being_asked_nothing_is_noted() -> None:
    meter = FlowMeter()
    assert len(all_starts(meter, connection())) == 0
    assert meter._state.counters[Counter.STARTS_NOTED] == 0


def test_starts_are_noted_only_while_they_are_wanted() -> None:
    meter = FlowMeter(live_rules=LiveRules())
    feed(meter, [udp(0)])
    assert len(meter.take_starts()) == 0
    meter.note_starts(True)
    first = meter.next_uid
    # The flow that was open goes on and ends without a start.
    feed(meter, [udp(1), *connection(2), udp(3, dst=("10.0.0.9", 53))])
    list(meter.expire(START_US + 200 * SECOND))
    assert meter.take_starts()["uid"].tolist() == [first, first + 1]
    meter.note_starts(False)
    feed(meter, connection(300 * SECOND))
    list(meter.flush())
    assert len(meter.take_starts()) == 0
    meter.note_starts(True)
    feed(meter, connection(400 * SECOND))
    list(meter.flush())
    assert meter.take_starts()["uid"].tolist() == [first + 3]
