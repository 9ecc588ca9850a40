"""Compiles the kernels, or loads them from the cache, before the first packet waits for them."""

from __future__ import annotations

import io
from typing import Final

import numpy as np

from capture.blocks import BlockReader
from capture.evidence import RING_PACKETS, EvidenceStore, FiveTuple, Wanted
from capture.flow_table import rebuild_index
from capture.framing import frame_ring_block
from capture.layout import packet_index
from capture.meter import FlowMeter
from capture.rules import LiveRules
from capture.segments import FrameCount

# A pcap header and one record of an unknown link type.
_ONE_PACKET: Final = bytes.fromhex("d4c3b2a1020004000000000000000000ffff0000e7030000") + bytes(16)


def warm_up_files() -> None:
    """Run every kernel that meters a pcap file on nothing."""
    _warm_up_growth()
    meter = FlowMeter(max_flows=1)
    for block, index, count in BlockReader(io.BytesIO(_ONE_PACKET), "warm-up"):
        for _ in meter.feed(block, index, count):
            pass
    for _ in meter.flush():
        pass


def warm_up_live_capture() -> None:
    """Run every kernel of the live path on nothing."""
    _warm_up_growth()
    empty_block = np.zeros(64, np.uint8)
    index = packet_index(1)
    frame_ring_block(empty_block, 0, 0, 0, 0, 0, index, np.zeros(FrameCount.SIZE, np.int64))
    store = EvidenceStore(len(empty_block))
    # A block that says it has one frame: where there is none, nothing is looked for.
    one_frame = empty_block.copy()
    one_frame[RING_PACKETS] = 1
    store.keep(one_frame, 0, 0)
    list(store.frames([Wanted(FiveTuple("::", 0, "::", 0, 0), 0, 0)]))
    meter = FlowMeter(live_rules=LiveRules(), max_flows=1)
    # One packet of an unknown link type, so that the metering kernel runs.
    for _ in meter.feed(empty_block, index, 1):
        pass
    for _ in meter.expire(0):
        pass
    meter.note_starts(True)
    meter.age_starts(0)
    for _ in meter.flush():
        pass


def _warm_up_growth() -> None:
    rebuild_index(np.zeros(2, np.uint64), np.zeros(1, np.uint64))
