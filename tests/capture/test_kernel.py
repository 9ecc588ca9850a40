"""When flows end. `ms` and `s` are times after the first packet."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.meter import FlowMeter
from capture.rules import LiveRules
from flows.table import EndReason, FlowTable, concat_tables
from helpers.packets import (
    CLIENT,
    SERVER,
    START_US,
    Packet,
    connection,
    empty_table,
    feed,
    icmp,
    metered,
    reply,
    tcp,
    udp,
)

MS, S = 1000, 1_000_000
LIVE = LiveRules(linger_seconds=2.0, idle_seconds=60.0)


def reasons(table: FlowTable) -> list[EndReason]:
    return [EndReason(reason) for reason in table.end_reason]


def packets_of(table: FlowTable) -> list[int]:
    return [int(n) for n in table.column("tot_fwd_pkts") + table.column("tot_bwd_pkts")]


def after_expiry(packets: list[Packet], until_us: int) -> FlowTable:
    meter = FlowMeter(live_rules=LIVE)
    tables = [*feed(meter, packets), *meter.expire(START_US + until_us), *meter.drain(), empty_table()]
    return concat_tables(tables)


def test_a_closed_connection_is_one_flow() -> None:
    flows = metered(connection())
    assert (packets_of(flows), reasons(flows)) == ([10], [EndReason.FIN])
    assert flows.source(0) == CLIENT[0]


def test_packets_after_the_close_are_absorbed_until_a_syn() -> None:
    late = [tcp(20 * MS, "A"), reply(21 * MS, "R")]
    flows = metered([*connection(), *late, *connection(100 * MS)])
    assert packets_of(flows) == [12, 10]


def test_a_syn_before_the_last_ack_does_not_split() -> None:
    assert packets_of(metered([*connection()[:9], tcp(20 * MS, "S")])) == [10]


def test_a_reset_connection_ends_at_the_next_syn() -> None:
    flows = metered([tcp(0, "S"), reply(MS, "RA"), tcp(2 * MS, "S"), reply(3 * MS, "RA")])
    assert (packets_of(flows), reasons(flows)) == ([2, 2], [EndReason.RST, EndReason.RST])


def test_a_connection_over_the_time_out_keeps_its_direction() -> None:
    flows = metered([tcp(0, "S"), reply(60 * S), reply(120 * S + 1), tcp(121 * S)])
    assert packets_of(flows) == [2, 2]
    assert [flows.source(row) for row in (0, 1)] == [CLIENT[0], CLIENT[0]]
    assert flows.column("tot_bwd_pkts")[1] == 1
    assert flows.column("total_tcp_flow_time")[1] == 121 * S
    assert EndReason(flows.end_reason[0]) == EndReason.TIMEOUT


def test_the_time_out_is_strict() -> None:
    assert packets_of(metered([udp(0), udp(120 * S)])) == [2]


def test_a_datagram_after_the_time_out_begins_anew() -> None:
    flows = metered([udp(0), udp(121 * S, src=SERVER, dst=CLIENT)])
    assert [flows.source(row) for row in (0, 1)] == [CLIENT[0], SERVER[0]]


def test_icmp_splits_when_type_and_code_both_differ() -> None:
    assert packets_of(metered([icmp(0, 8, 0), icmp(MS, 0, 0), icmp(2 * MS, 3, 1)])) == [2, 1]


def test_live_a_closed_connection_ends_after_its_linger() -> None:
    assert len(after_expiry(connection(), 2 * S)) == 0
    flows = after_expiry(connection(), 2 * S + 300 * MS)
    assert (packets_of(flows), reasons(flows)) == ([10], [EndReason.FIN])


def test_live_a_reset_connection_ends_after_its_linger() -> None:
    flows = after_expiry([tcp(0, "S"), reply(MS, "RA")], 3 * S)
    assert reasons(flows) == [EndReason.RST]


def test_live_a_host_that_talks_to_itself_closes_too() -> None:
    ends = {"src": (CLIENT[0], 1), "dst": (CLIENT[0], 2)}
    flows = after_expiry([tcp(0, "FA", **ends), tcp(MS, "FA", **ends)], 3 * S)  # type: ignore[arg-type]
    assert reasons(flows) == [EndReason.FIN]


def test_live_an_idle_flow_ends() -> None:
    assert len(after_expiry([udp(0), udp(5 * S)], 65 * S)) == 0
    assert reasons(after_expiry([udp(0), udp(5 * S)], 66 * S)) == [EndReason.IDLE]


def test_live_late_packets_are_counted() -> None:
    meter = FlowMeter(live_rules=LIVE)
    feed(meter, [*connection(), reply(10 * S, "A"), tcp(11 * S, "A")])
    counters = meter.counters()
    assert (counters.late, counters.metered, counters.flows_opened) == (2, 10, 1)


def test_live_a_syn_after_the_linger_opens_a_flow() -> None:
    flows = metered([*connection(), *connection(10 * S)], live_rules=LIVE)
    assert packets_of(flows) == [10, 10]


def test_live_the_time_out_cuts_without_a_packet_and_the_connection_goes_on() -> None:
    packets = [tcp(n * 30 * S, "A") for n in range(5)]
    assert reasons(after_expiry(packets, 121 * S)) == [EndReason.TIMEOUT]
    flows = metered([*packets, reply(150 * S)], live_rules=LIVE)
    assert (packets_of(flows), flows.source(1)) == ([5, 1], CLIENT[0])
    assert flows.column("tot_bwd_pkts")[1] == 1


def test_live_a_long_flow_is_emitted_provisionally_and_once_finally() -> None:
    rules = LiveRules(early_seconds=(2.0, 10.0))
    packets = [udp(n * S) for n in range(13)]
    meter = FlowMeter(live_rules=rules)
    flows = concat_tables([*feed(meter, packets), *meter.expire(START_US + 80 * S), *meter.drain()])
    assert reasons(flows) == [EndReason.EARLY, EndReason.EARLY, EndReason.IDLE]
    assert packets_of(flows) == [3, 11, 13]
    assert flows.revision.tolist() == [0, 1, 2]
    assert flows.provisional.tolist() == [True, True, False]
    assert len(set(flows.flow_uid.tolist())) == 1
    counters = meter.counters()
    assert (counters.emitted_early, counters.flows_opened, sum(counters.emitted.values())) == (2, 1, 1)


def test_live_a_short_flow_is_emitted_once() -> None:
    flows = metered(connection(), live_rules=LiveRules(early_seconds=(10.0,)))
    assert (flows.revision.tolist(), flows.provisional.tolist()) == ([0], [False])


def test_live_an_unanswered_flow_is_emitted_provisionally_once() -> None:
    rules = LiveRules(early_seconds=(10.0, 30.0), unanswered_seconds=2.0)
    flows = metered([tcp(0, "S"), udp(50 * S)], live_rules=rules)
    assert flows.protocol.tolist() == [6, 6, 17]
    assert (reasons(flows)[0], flows.provisional.tolist()) == (EndReason.EARLY, [True, False, False])


def test_live_a_closed_flow_is_emitted_at_its_end_alone() -> None:
    rules = LiveRules(linger_seconds=5, early_seconds=(3.0,), unanswered_seconds=2.0)
    assert (
        metered([tcp(0, "S"), tcp(S, "R"), udp(9 * S)], live_rules=rules).provisional.tolist() == [False] * 2
    )


def test_live_a_host_that_talks_to_itself_is_not_unanswered() -> None:
    rules = LiveRules(unanswered_seconds=2.0)
    flows = metered([tcp(0, "S", dst=(CLIENT[0], 2)), udp(9 * S)], live_rules=rules)
    assert flows.provisional.tolist() == [False] * 2


def test_live_an_unanswered_flow_that_goes_on_is_emitted_again() -> None:
    rules = LiveRules(early_seconds=(10.0, 30.0), unanswered_seconds=2.0)
    flows = metered([tcp(0, "S"), tcp(3 * S, "S"), tcp(40 * S, "S")], live_rules=rules)
    assert (packets_of(flows), flows.revision.tolist()) == ([1, 2, 3], [0, 1, 2])


def test_live_an_answered_flow_is_emitted_provisionally_when_it_lives_long() -> None:
    rules = LiveRules(early_seconds=(10.0, 30.0), unanswered_seconds=2.0)
    flows = metered([tcp(0, "S"), reply(MS, "SA"), tcp(40 * S)], live_rules=rules)
    assert (packets_of(flows), flows.provisional.tolist()) == ([2, 3], [True, False])


def test_a_full_table_gives_up_the_longest_silent_flow() -> None:
    meter = FlowMeter(live_rules=LIVE, max_flows=4)
    packets = [udp(n * S, src=(CLIENT[0], 1000 + n)) for n in range(4)]
    tables = feed(meter, [*packets, udp(5 * S, src=(CLIENT[0], 1000)), udp(6 * S, src=(CLIENT[0], 2000))])
    flows = concat_tables(tables)
    assert reasons(flows) == [EndReason.EVICTED]
    assert flows.src_port.tolist() == [1001]
    assert meter.counters().flows_live == 4


def test_a_full_table_gives_up_a_closed_connection_before_a_silent_flow() -> None:
    meter = FlowMeter(live_rules=LIVE, max_flows=2)
    newcomer = udp(2 * S, src=(CLIENT[0], 2000))
    flows = concat_tables(feed(meter, [udp(0), *connection(S), newcomer]))
    assert (reasons(flows), packets_of(flows)) == ([EndReason.FIN], [10])


def test_a_full_table_finds_a_closed_connection_whose_deadline_moved_on() -> None:
    meter = FlowMeter(live_rules=LIVE, max_flows=1)
    dns = udp(67 * S)
    flows = concat_tables(feed(meter, [dns, tcp(67 * S + 1, "R"), tcp(73 * S, "A"), udp(200 * S)]))
    assert reasons(flows) == [EndReason.EVICTED, EndReason.RST]


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 4 * S)), max_size=60),
    st.integers(1, 6),
    st.sampled_from([LIVE, LiveRules(early_seconds=(1.0, 5.0), unanswered_seconds=2.0)]),
)
@settings(max_examples=150, deadline=None)
def test_what_a_full_table_gives_up_was_silent_for_longest(
    steps: list[tuple[int, int]], max_flows: int, rules: LiveRules
) -> None:
    """To an eighth of a second, among flows that no other deadline ends."""
    meter = FlowMeter(live_rules=rules, max_flows=max_flows)
    last_heard: dict[int, int] = {}
    now = 0
    for port, gap in steps:
        now = min(now + gap, 59 * S)
        flows = concat_tables([*feed(meter, [udp(now, src=(CLIENT[0], 1000 + port))]), empty_table()])
        for row in flows.src_port[~flows.provisional]:
            assert last_heard.pop(int(row) - 1000) <= min(last_heard.values(), default=now) + S // 7
        last_heard[port] = now
    assert meter.counters().flows_live == len(last_heard) <= max_flows


def test_a_file_meter_grows_instead() -> None:
    flows = metered([udp(n, src=(f"10.1.{n >> 8}.{n & 255}", 5)) for n in range(65_000)])
    flows_more = metered([udp(n, src=(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 5)) for n in range(70_000)])
    assert (len(flows), len(flows_more)) == (65_000, 70_000)


ENDPOINTS = [("10.0.0.1", 1), ("10.0.0.1", 2), ("10.0.0.2", 1), ("2001:db8::1", 1), ("2001:db8::2", 1)]
GAPS = st.sampled_from([0, 1, 40, MS, 900 * MS, 2 * S, 2 * S + 1, 6 * S, 59 * S, 61 * S, 119 * S, 125 * S])


@st.composite
def traffic(draw: st.DrawFn) -> list[Packet]:
    packets = []
    now = 0
    for _ in range(draw(st.integers(1, 60))):
        now += draw(GAPS)
        ends = draw(st.sampled_from([(0, 2), (2, 0), (1, 2), (2, 1), (0, 1), (3, 4), (4, 3)]))
        src, dst = ENDPOINTS[ends[0]], ENDPOINTS[ends[1]]
        if draw(st.booleans()):
            flags = draw(st.sampled_from(["S", "SA", "A", "PA", "FA", "F", "R", "RA", "U", "", "EC"]))
            packets.append(tcp(now, flags, draw(st.integers(0, 1400)), src=src, dst=dst))
        else:
            packets.append(udp(now, draw(st.integers(0, 1400)), src=src, dst=dst))
    return packets


def as_multiset(table: FlowTable) -> list[tuple[object, ...]]:
    rows = []
    for row in range(len(table)):
        features = tuple(np.nan_to_num(table.features[row], nan=-9e9))
        reason, revision = int(table.end_reason[row]), int(table.revision[row])
        rows.append((table.source(row), int(table.start_us[row]), reason, revision, features))
    return sorted(rows, key=repr)


@given(
    traffic(),
    st.lists(st.integers(0, 60), max_size=8),
    st.sampled_from([(), (2.0,), (1.0, 5.0, 30.0)]),
    st.sampled_from([0.0, 1.0, 3.0]),
)
@settings(max_examples=150, deadline=None)
def test_looking_at_the_clock_changes_no_flow(
    packets: list[Packet], looks: list[int], early: tuple[float, ...], unanswered: float
) -> None:
    """A wire, whose clock is looked at now and then, gives what a file gives that has none."""
    rules = LiveRules(early_seconds=early, unanswered_seconds=unanswered)
    unhurried = metered(packets, live_rules=rules)
    meter = FlowMeter(live_rules=rules)
    tables = []
    for at, packet in enumerate(packets):
        tables += feed(meter, [packet])
        if at in looks:
            tables += [*meter.expire(START_US + packet.at_us), *meter.drain()]
    hurried = concat_tables([*tables, *meter.flush(), empty_table()])
    expected, actual = as_multiset(unhurried), as_multiset(hurried)
    assert len(expected) == len(actual)
    assert expected == actual


@given(traffic(), st.booleans(), st.sampled_from([1, 2, 3, 1000]))
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_unseen(packets: list[Packet], live: bool, max_flows: int) -> None:
    meter = FlowMeter(live_rules=LIVE if live else None, max_flows=max_flows)
    emitted = feed(meter, packets)
    emitted += [*meter.expire(START_US + packets[-1].at_us), *meter.drain()]
    counters = meter.counters()
    assert counters.packets == counters.metered + counters.late + sum(counters.ignored.values())
    assert (
        counters.flows_opened == sum(counters.emitted.values()) + counters.flows_dropped + counters.flows_live
    )
    emitted += meter.flush()
    counters = meter.counters()
    assert counters.flows_live == 0
    assert counters.flows_opened == sum(counters.emitted.values()) == sum(len(table) for table in emitted)
    assert sum(sum(packets_of(table)) for table in emitted) == counters.metered
    uids = np.concatenate([table.flow_uid for table in emitted])
    assert len(set(uids.tolist())) == len(uids)
