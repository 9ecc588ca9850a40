"""FlowMeter: the kernel with its memory, fed with blocks of packets, giving flow tables."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capture.ages import NO_AGE
from capture.dialects import feature_names, rule_values
from capture.expiry import WHEEL_SLOTS
from capture.flow_table import rebuild_index
from capture.kernel import EMITTED_PER_PACKET, expire_flows, flush_flows, meter_packets
from capture.layout import (
    CONNECTION,
    EMITTED,
    FLOW,
    PACKET,
    PACKETS_AT_ONCE,
    WAIT,
    Counter,
    Ignored,
    MeterState,
    PacketIndex,
    Rule,
    records,
)
from capture.options import LIVE_FLOWS
from capture.retransmission import GENERATION_SLOTS
from capture.rules import LIVE_AGES, MICROSECONDS, LiveRules
from capture.starts import NEVER, STARTS_AT_ONCE, age_now
from capture.status import MeterCounters
from flows.dialects import IMPROVED
from flows.starts import START, START_AGE_US
from flows.table import EndReason, FlowTable

OUTPUT_FLOWS: Final = 4096
FILE_FLOWS_START: Final = 65_536
FILE_FLOWS_LIMIT: Final = 4_194_304


def _addresses(hi: NDArray[np.uint64], lo: NDArray[np.uint64]) -> NDArray[np.uint8]:
    return np.stack([hi, lo], axis=1).astype(">u8").view(np.uint8)


class FlowMeter:
    """Measures packets by the rules of one dialect.

    Without live rules flows end exactly as the dialect says and the flow table grows as needed; with
    them it has a fixed size and `expire` ends flows on a quiet wire. Not thread-safe.

    Attributes:
        starts_hurried: starts looked at before their time, because the ring had no room.
    """

    def __init__(
        self,
        dialect: str = IMPROVED,
        *,
        live_rules: LiveRules | None = None,
        max_flows: int | None = None,
        starts: bool = False,
        sensor: str = "",
        interface: str = "",
    ) -> None:
        """Make a meter.

        Args:
            dialect: whose rules measure.
            live_rules: expiry on a quiet wire; None for the dialect's own rules alone.
            max_flows: flows kept at once; when full, long silent ones are emitted early.
            starts: also note when flows began, for `take_starts`.
            sensor: name that the flow tables carry.
            interface: name that the flow tables carry.

        Raises:
            ValueError: max_flows is not positive, or the dialect is unknown.
        """
        if max_flows is None:
            max_flows = LIVE_FLOWS if live_rules else FILE_FLOWS_LIMIT
        if max_flows < 1:
            raise ValueError(f"max_flows must be at least 1, not {max_flows}")
        rows = min(max_flows, FILE_FLOWS_START)
        rules = _rules(dialect, live_rules)
        rules[Rule.MAX_FLOWS] = max_flows
        rules[Rule.STARTS] = starts
        counters = np.zeros(Counter.SIZE, np.int64)
        # Uids of two runs of a sensor must not meet; 31 random bits keep the sum below 2^63.
        counters[Counter.NEXT_UID] = counters[Counter.FIRST_UID] = secrets.randbits(31) << 32
        counters[Counter.STARTS_DUE] = NEVER
        counters[Counter.AGES_FIRST :] = -1
        self._dialect = dialect
        self._feature_names = feature_names(dialect)
        self._sensor = sensor
        self._interface = interface
        self._starts: list[NDArray[np.void]] = []
        self.starts_hurried = 0
        self._state = MeterState(
            flows=records(rows, FLOW),
            connections=records(rows if rules[Rule.COUNTS_RETRANSMISSIONS] else 1, CONNECTION),
            waits=records(rows if live_rules else 1, WAIT),
            slots=np.zeros(_slot_count(rows), np.uint64),
            seen=np.zeros((2, GENERATION_SLOTS if rules[Rule.COUNTS_RETRANSMISSIONS] else 1), np.uint64),
            free=np.zeros(rows, np.int32),
            wheel=np.full(WHEEL_SLOTS, -1, np.int32),
            counters=counters,
            rules=rules,
            packet=records(PACKETS_AT_ONCE, PACKET),
            starts=records(STARTS_AT_ONCE if starts else 1, START),
            out=records(OUTPUT_FLOWS, EMITTED),
            out_features=np.zeros((OUTPUT_FLOWS, len(self._feature_names))),
        )

    def note_starts(self, wanted: bool) -> None:
        """Note the starts of flows that begin from now on, or none any more; those noted are forgotten."""
        if bool(self._state.rules[Rule.STARTS]) == wanted:
            return
        counters = self._state.counters
        counters[Counter.FIRST_UID] = counters[Counter.NEXT_UID]
        for counter in (Counter.STARTS_NOTED, Counter.STARTS_AGED, Counter.STARTS_TAKEN):
            counters[counter] = 0
        counters[Counter.STARTS_DUE] = NEVER
        self._starts = []
        self._state = self._state._replace(starts=records(STARTS_AT_ONCE if wanted else 1, START))
        self._state.rules[Rule.STARTS] = wanted

    @property
    def next_uid(self) -> int:
        """The uid of the flow that begins next."""
        return int(self._state.counters[Counter.NEXT_UID])

    def feed(self, block: NDArray[np.uint8], index: PacketIndex, count: int) -> Iterator[FlowTable]:
        """Meter the first `count` packets of an index over `block`; yield what ends, when full."""
        done = 0
        while done < count:
            done = meter_packets(block, index, done, count, self._state)
            if done < count:
                if self._output_full():
                    yield self._drain()
                elif self._starts_full():
                    self._make_room_for_starts()
                else:
                    self._grow()

    def expire(self, now_us: int) -> Iterator[FlowTable]:
        """End the flows whose time has passed; no packet from before `now_us` may follow."""
        if now_us > self._state.counters[Counter.STARTS_DUE]:
            self.age_starts(now_us)
        more = True
        while more:
            more = expire_flows(now_us, self._state)
            if more:
                yield self._drain()

    def age_starts(self, now_us: int) -> None:
        """Look at the flows that are old enough at a time; no packet from before it may follow."""
        age_now(self._state, now_us)

    def flush(self) -> Iterator[FlowTable]:
        """End all open flows and yield everything that was not yet given out."""
        if self._state.rules[Rule.LIVE]:
            yield from self.expire(int(self._state.counters[Counter.NEWEST]))
        row = 0
        while row >= 0:
            row = flush_flows(row, self._state)
            yield from self.drain()
        self._state.counters[Counter.STARTS_AGED] = self._state.counters[Counter.STARTS_NOTED]
        self._state.counters[Counter.STARTS_DUE] = NEVER

    def take_starts(self) -> NDArray[np.void]:
        """Return the starts that were looked at since the last call: START rows, in the order of the uids.

        A flow's start is among them once packets come that are START_AGE_US younger, or after `flush`.
        """
        self._save_starts()
        taken, self._starts = self._starts, []
        return taken[0] if len(taken) == 1 else np.concatenate([np.empty(0, START), *taken])

    def drain(self) -> Iterator[FlowTable]:
        """Yield the flows that have ended since the last table, if there are any."""
        if self._state.counters[Counter.OUTPUT]:
            yield self._drain()

    def counters(self) -> MeterCounters:
        """Return the counters; the kernel may be counting on meanwhile."""
        values = self._state.counters
        return MeterCounters(
            packets=int(values[Counter.PACKETS]),
            metered=int(values[Counter.METERED]),
            late=int(values[Counter.LATE]),
            ignored={
                reason.name.lower(): int(values[Counter.IGNORED_BASE + reason])
                for reason in Ignored
                if reason is not Ignored.METERED
            },
            flows_opened=int(values[Counter.OPENED]),
            flows_dropped=int(values[Counter.DROPPED]),
            emitted={
                reason.name.lower(): int(values[Counter.EMITTED_BASE + reason])
                for reason in EndReason
                if reason not in (EndReason.UNKNOWN, EndReason.EARLY)
            },
            flows_live=int(values[Counter.LIVE]),
            emitted_early=int(values[Counter.EARLY]),
        )

    @property
    def memory_bytes(self) -> int:
        """How much memory its arrays take; what no flow has used yet is not resident."""
        return sum(array.nbytes for array in self._state)

    def _starts_full(self) -> bool:
        counters = self._state.counters
        waiting = counters[Counter.STARTS_NOTED] - counters[Counter.STARTS_TAKEN]
        return bool(self._state.rules[Rule.STARTS] and waiting >= len(self._state.starts))

    def _make_room_for_starts(self) -> None:
        counters = self._state.counters
        if counters[Counter.STARTS_AGED] == counters[Counter.STARTS_TAKEN]:
            # More begin within START_AGE_US than the ring holds: the first half is looked at sooner.
            half = int(counters[Counter.STARTS_TAKEN]) + len(self._state.starts) // 2
            newest = self._state.starts.start[half % len(self._state.starts)]
            before = int(counters[Counter.STARTS_AGED])
            age_now(self._state, int(newest) + START_AGE_US + 1)
            self.starts_hurried += int(counters[Counter.STARTS_AGED]) - before
        self._save_starts()

    def _save_starts(self) -> None:
        counters, ring = self._state.counters, self._state.starts
        first, last = int(counters[Counter.STARTS_TAKEN]), int(counters[Counter.STARTS_AGED])
        if last > first:
            self._starts.append(ring.view(np.ndarray)[np.arange(first, last) % len(ring)])
            counters[Counter.STARTS_TAKEN] = last

    def _output_full(self) -> bool:
        return bool(self._state.counters[Counter.OUTPUT] > OUTPUT_FLOWS - EMITTED_PER_PACKET)

    def _drain(self) -> FlowTable:
        count = int(self._state.counters[Counter.OUTPUT])
        out = self._state.out[:count]
        table = FlowTable.from_features(
            self._state.out_features[:count].copy(),
            self._feature_names,
            self._dialect,
            flow_uid=out.uid.copy(),
            src_addr=_addresses(out.src_hi, out.src_lo),
            dst_addr=_addresses(out.dst_hi, out.dst_lo),
            src_port=out.src_port.copy(),
            dst_port=out.dst_port.copy(),
            protocol=out.protocol.copy(),
            start_us=out.start.copy(),
            end_us=out.last.copy(),
            end_reason=out.end_reason.copy(),
            revision=out.revision.astype(np.int32),
            provisional=out.end_reason == EndReason.EARLY,
            sensor=self._sensor,
            interface=self._interface,
        )
        self._state.counters[Counter.OUTPUT] = 0
        return table

    def _grow(self) -> None:
        old = self._state
        rows = min(len(old.flows) * 2, int(old.rules[Rule.MAX_FLOWS]))
        flows = records(rows, FLOW)
        flows[: len(old.flows)] = old.flows
        slots = np.zeros(_slot_count(rows), np.uint64)
        rebuild_index(slots, old.slots)
        connections = old.connections
        if old.rules[Rule.COUNTS_RETRANSMISSIONS]:
            connections = records(rows, CONNECTION)
            connections[: len(old.flows)] = old.connections
        waits = old.waits
        if old.rules[Rule.LIVE]:
            waits = records(rows, WAIT)
            waits[: len(old.flows)] = old.waits
        self._state = old._replace(
            connections=connections,
            flows=flows,
            waits=waits,
            slots=slots,
            free=np.zeros(rows, np.int32),
        )


def _rules(dialect: str, live_rules: LiveRules | None) -> NDArray[np.int64]:
    ages = np.full(LIVE_AGES + 1, NO_AGE)
    rules: NDArray[np.int64] = np.concatenate(
        [np.zeros(Rule.CLOSE, np.int64), rule_values(dialect), [-1], ages]
    )
    if live_rules is not None:
        rules[Rule.LIVE] = 1
        rules[Rule.LINGER] = round(live_rules.linger_seconds * MICROSECONDS)
        rules[Rule.IDLE] = round(live_rules.idle_seconds * MICROSECONDS)
        early, rules[Rule.UNANSWERED] = live_rules.ages_us()
        rules[Rule.EARLY : Rule.EARLY + len(early)] = early
    return rules


def _slot_count(rows: int) -> int:
    return 1 << (2 * rows - 1).bit_length()
