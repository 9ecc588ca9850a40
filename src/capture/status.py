"""What a running capture tells of itself."""

from __future__ import annotations

from dataclasses import dataclass


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
        flows_dropped: flows of one packet that the dialect does not emit.
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
    """

    interface: str
    running: bool
    error: str | None
    counters: MeterCounters
    kernel_drops: int
    ring_freezes: int
    silent_seconds: float
    restarts: int
