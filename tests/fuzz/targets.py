"""What is fuzzed: functions from any bytes to an outcome that does not depend on how they are run.

Anything but an outcome is a finding: an exception, a packet outside its block, counters that do not add up.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from capture.blocks import BlockReader
from capture.decompress import CaptureStream
from capture.layout import Counter, packet_index
from capture.meter import FlowMeter
from flows.table import FlowTable
from fuzz.choices import Choices
from fuzz.traffic import DIALECTS, LIVE, Case, HostilePacket, traffic_case

Outcome = dict[str, Any]
ARRAYS: Final = (
    *("flow_uid", "revision", "src_addr", "dst_addr", "src_port", "dst_port", "protocol"),
    *("start_us", "end_us", "end_reason", "provisional"),
)
MAX_BYTES: Final = 1 << 22
LINKS: Final = (1, 0, 12, 101, 108, 113, 228, 276, 105)


def make_meter(case: Case) -> FlowMeter:
    meter = FlowMeter(case.dialect, live_rules=case.live_rules, max_flows=case.max_flows)
    meter._state.counters[Counter.NEXT_UID] = 1
    return meter


def outcome_of(meter: FlowMeter, tables: list[FlowTable], **more: Any) -> Outcome:
    """Digest the flows and check what must add up; the meter was flushed."""
    counters = meter.counters()
    assert counters.packets == counters.metered + counters.late + sum(counters.ignored.values())
    assert counters.flows_opened == sum(counters.emitted.values()) + counters.flows_dropped
    assert counters.flows_live == 0
    digest = hashlib.sha256()
    for table in tables:
        for name in ARRAYS:
            digest.update(np.ascontiguousarray(getattr(table, name)).tobytes())
        features = table.features.copy()
        # A NaN has many bit patterns.
        features[np.isnan(features)] = np.nan
        digest.update(features.tobytes())
    rows = sum(len(table) for table in tables)
    return {"counters": asdict(counters), "rows": rows, "flows": digest.hexdigest(), **more}


def feed_one(meter: FlowMeter, packet: HostilePacket) -> Iterator[FlowTable]:
    """Give one packet in a block that ends where it ends: to read on is an IndexError."""
    block = np.frombuffer(packet.frame[: packet.captured] or b"\0", np.uint8).copy()
    index = packet_index(1)
    index.captured[0], index.ts[0], index.link[0] = packet.captured, packet.ts, packet.link
    yield from meter.feed(block, index, 1)


def meter(data: bytes) -> Outcome:
    """Traffic of well-formed and broken packets, by any dialect's rules."""
    case = traffic_case(data)
    metering = make_meter(case)
    tables = []
    for packet in case.packets:
        if packet.expire and case.live_rules:
            tables += metering.expire(packet.ts)
        tables += feed_one(metering, packet)
    tables += metering.flush()
    return outcome_of(metering, tables)


def decoder(data: bytes) -> Outcome:
    """One frame of any bytes."""
    choices = Choices(data[:2])
    dialect, link = choices.pick(DIALECTS), choices.pick(LINKS)
    metering = make_meter(Case(dialect, None, 1, []))
    tables = [*feed_one(metering, HostilePacket(data[2:], len(data[2:]), 0, link, False)), *metering.flush()]
    return outcome_of(metering, tables)


def files(data: bytes) -> Outcome:
    """A capture file of any bytes, compressed or not."""
    metering = make_meter(Case(DIALECTS[0], LIVE[1], 64, []))
    stream = CaptureStream(io.BufferedReader(io.BytesIO(data)), max_bytes=MAX_BYTES)
    try:
        reader = BlockReader(stream, "capture")
    except ValueError as error:
        return {"refused": str(error)}
    tables = []
    for block, index, count in reader:
        ends = index.offset[:count] + index.captured[:count]
        assert (index.captured[:count] >= 0).all()
        assert (index.offset[:count] >= 0).all()
        assert (ends <= len(block)).all()
        tables += metering.feed(block, index, count)
        tables += metering.expire(int(index.ts[count - 1]))
    tables += metering.flush()
    return outcome_of(metering, tables, problem=reader.problem, stream=stream.problem)


TARGETS: Final[dict[str, Callable[[bytes], Outcome]]] = {
    "decoder": decoder,
    "files": files,
    "meter": meter,
}
