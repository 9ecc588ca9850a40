"""The oracle: a plain, slow flow meter for every dialect, to compare the kernel with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from helpers.oracle_features import features
from helpers.oracle_flows import DIALECTS, Flow
from helpers.oracle_packets import decode, pcap_frames
from helpers.parity import LAYOUTS, Layout, Rows

__all__ = ["DIALECTS", "oracle_capture_rows", "oracle_flows", "oracle_rows"]


def oracle_flows(frames: Iterable[tuple[int, bytes]], dialect: str) -> list[Flow]:
    """Return the flows of Ethernet frames with their times in microseconds."""
    rules = DIALECTS[dialect]()
    packets = (decode(time, frame, rules.sight) for time, frame in frames)
    return rules.flows(packet for packet in packets if packet is not None)


def oracle_rows(frames: Iterable[tuple[int, bytes]], dialect: str, layout: Layout | None = None) -> Rows:
    """Return them as rows by five-tuple and start, features in our order."""
    layout = layout or LAYOUTS[dialect]
    rows: Rows = defaultdict(list)
    for flow in oracle_flows(frames, dialect):
        (src, sport), (dst, dport) = flow.source, flow.destination
        start = int(layout.key_times(np.array([flow.first.time]))[0])
        found = features(flow, dialect)
        row = np.array([float(found[name]) for name in layout.names])
        rows[(str(ip_address(src)), sport, str(ip_address(dst)), dport, flow.protocol, start)].append(row)
    return rows


def oracle_capture_rows(capture: Path, dialect: str) -> Rows:
    """Return the rows of a pcap file of Ethernet frames."""
    return oracle_rows(pcap_frames(capture.read_bytes()), dialect)
