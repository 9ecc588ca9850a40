"""Compiles (or loads from the cache) what live capture runs, before the first packet waits for it."""

from __future__ import annotations

import numpy as np

from capture.evidence import EvidenceStore, FiveTuple
from capture.framing import frame_ring_block
from capture.layout import packet_index
from capture.meter import FlowMeter
from capture.rules import LiveRules
from capture.segments import FrameCount


def warm_up_live_capture() -> None:
    """Run every kernel of the live path on nothing."""
    empty_block = np.zeros(64, np.uint8)
    index = packet_index(1)
    frame_ring_block(empty_block, 0, 0, 0, 0, 0, index, np.zeros(FrameCount.SIZE, np.int64))
    store = EvidenceStore(len(empty_block))
    store.keep(empty_block, 0, 0)
    list(store.frames(FiveTuple("::", 0, "::", 0, 0), 0, 0))
    meter = FlowMeter(live_rules=LiveRules(), max_flows=1)
    # One packet of an unknown link type, so that the metering kernel runs.
    for _ in meter.feed(empty_block, index, 1):
        pass
    for _ in meter.expire(0):
        pass
    for _ in meter.flush():
        pass
