"""What a running capture tells of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from capture.evidence import EvidenceStatus

NOT_STARTED: Final = "not started"
"""The error of a capture that is still to be opened for the first time."""


@dataclass(frozen=True, slots=True)
class MeterCounters:
    """Counters of one meter since it was made.

    packets = metered + late + sum(ignored);
    flows_opened = sum(emitted) + flows_dropped + flows_live.

    Attributes:
        packets: packets seen.
        metered: packets that a flow took.
        late: packets of flows that had already been emitted.
        ignored: packets no flow took, by reason.
        flows_opened: flows begun.
        flows_dropped: flows never emitted: of one packet, where the dialect drops those, or lost with an
            extractor's process that died.
        emitted: flows emitted, by end reason.
        flows_live: flows still open.
        emitted_early: provisional copies of flows that went on; not among `emitted`.
    """

    packets: int
    metered: int
    late: int
    ignored: dict[str, int]
    flows_opened: int
    flows_dropped: int
    emitted: dict[str, int]
    flows_live: int
    emitted_early: int = 0


@dataclass(frozen=True, slots=True)
class FrameCounters:
    """What the kernel handed over; packets metered, late and ignored = frames - merged + segments.

    Attributes:
        frames: frames read from the ring.
        above_mtu: frames longer than the interface's MTU allows.
        merged: frames that held several segments and were split.
        segments: what they were split into.
        oversized: frames merged or above the MTU that could not be split; each counts as one packet.
    """

    frames: int = 0
    above_mtu: int = 0
    merged: int = 0
    segments: int = 0
    oversized: int = 0


@dataclass(frozen=True, slots=True)
class InterfaceStatus:
    """The state of one interface's capture.

    Attributes:
        interface: its name.
        running: packets are being read.
        error: why it is not running, None when it is.
        counters: the meter's.
        kernel_drops: packets the kernel dropped because the ring was full.
        ring_freezes: how often the ring was full.
        silent_seconds: seconds since the last packet, or since the start when there was none.
        restarts: how often the capture thread was started again after a failure.
        flows_shed: flows handed over that the receiver had no room for.
        flows_waiting: flows that ended and are not handed over yet, because their context is not known.
        frames: what the kernel handed over.
        splits_merged: merged frames can be split.
        offloads: which of gro, lro, tso and gso are on.
        offload_cure: the command that turns off those that are on.
        packet_filter: CAPTURE_FILTER.
        left_out: the sensor's own connections, which are not captured.
        evidence: the most recent packets kept, None without memory for them.
        table_bytes: memory for open flows and those about to be handed over; what no flow has used yet is
            not resident.
        ring_bytes: memory that the interface's packets arrive in, 0 while it is not read.
    """

    interface: str
    running: bool
    error: str | None
    counters: MeterCounters
    kernel_drops: int
    ring_freezes: int
    silent_seconds: float
    restarts: int
    flows_shed: int = 0
    flows_waiting: int = 0
    frames: FrameCounters = FrameCounters()
    splits_merged: bool = False
    offloads: dict[str, bool] = field(default_factory=dict)
    offload_cure: str | None = None
    packet_filter: str = ""
    left_out: tuple[str, ...] = ()
    evidence: EvidenceStatus | None = None
    table_bytes: int = 0
    ring_bytes: int = 0
