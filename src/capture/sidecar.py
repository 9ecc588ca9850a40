"""The sidecar: captures interfaces in this process, a thread each, and hands finished flows over."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import Final, Protocol

import numpy as np

from capture.evidence import EvidenceStore, Wanted, write_evidence
from capture.meter import FlowMeter
from capture.offloads import cure, read_offloads
from capture.options import CaptureOptions
from capture.ring import RING_BYTES, PacketRing
from capture.rules import LiveRules
from capture.segments import FrameCount
from capture.status import NOT_STARTED, FrameCounters, InterfaceStatus
from capture.warm_up import warm_up_live_capture
from flows.table import FlowTable

logger = logging.getLogger(__name__)

HandOver = Callable[[FlowTable], int]


class HostContext(Protocol):
    """What flows pass between the meter and the receiver: one an interface, used by its thread alone."""

    @property
    def waiting(self) -> int:
        """Flows that are held back; any thread may ask."""

    def follow(self, meter: FlowMeter) -> Iterator[FlowTable]:
        """Let the meter note starts while they are wanted; yield what is not held back any more."""

    def add(self, table: FlowTable) -> Iterator[FlowTable]:
        """Take a table in; yield those that are not held back, in the order they came."""

    def rest(self) -> Iterator[FlowTable]:
        """Yield what is still held back: nothing follows."""


_POLL_MS: Final = 100
_CLOCK_SLACK_US: Final = 300_000
"""How far the meter's clock stays behind, so that a block not yet handed over is never overtaken."""

_STATISTICS_SECONDS: Final = 1.0
_LAST_SECONDS: Final = 0.3
_RETRY_SECONDS: Final = (1.0, 5.0)
PERMISSION_HINT: Final = "capturing needs root or CAP_NET_RAW"


class InterfaceCapture:
    """One interface, its meter and its thread, which starts again after a failure."""

    def __init__(
        self,
        interface: str,
        hand_over: HandOver,
        *,
        sensor: str,
        rules: LiveRules,
        options: CaptureOptions,
        evidence: EvidenceStore | None,
        context: HostContext | None,
    ) -> None:
        """Prepare the capture; `start` opens the interface."""
        self.interface = interface
        self.evidence = evidence
        self._hand_over = hand_over
        self._context = context
        self._options = options
        self._meter = FlowMeter(
            live_rules=rules, max_flows=options.max_flows, sensor=sensor, interface=interface
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"capture-{interface}", daemon=True)
        self._running = False
        self._error: str | None = NOT_STARTED
        self._restarts = 0
        self._kernel_drops = 0
        self._freezes = 0
        self._flows_shed = 0
        self._frame_counts = np.zeros(FrameCount.SIZE, np.int64)
        self._splits = False
        self._offloads: dict[str, bool] = {}
        self._left_out: tuple[str, ...] = ()
        self._last_packet = time.monotonic()

    def start(self) -> None:
        """Begin to capture."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the thread to end; it hands over the flows that are still open."""
        self._stopping.set()

    def join(self, timeout: float) -> None:
        """Wait for the thread's end, if it was started."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if self._thread.is_alive():
            logger.error("capture of %s did not stop within %.1f s", self.interface, timeout)

    def status(self) -> InterfaceStatus:
        """Return the state and the counters."""
        return InterfaceStatus(
            interface=self.interface,
            running=self._running,
            error=self._error,
            counters=self._meter.counters(),
            kernel_drops=self._kernel_drops,
            ring_freezes=self._freezes,
            silent_seconds=time.monotonic() - self._last_packet,
            restarts=self._restarts,
            flows_shed=self._flows_shed,
            flows_waiting=self._context.waiting if self._context else 0,
            frames=FrameCounters(*map(int, self._frame_counts)),
            splits_merged=self._splits,
            offloads=self._offloads,
            offload_cure=cure(self.interface, self._offloads),
            packet_filter=self._options.packet_filter,
            left_out=self._left_out,
            evidence=self.evidence.status() if self.evidence else None,
            table_bytes=self._meter.memory_bytes,
            ring_bytes=RING_BYTES if self._running else 0,
        )

    def _run(self) -> None:
        shortest, longest = _RETRY_SECONDS
        delay = shortest
        while not self._stopping.is_set():
            try:
                self._capture()
                break
            except Exception as error:
                was_running, self._running = self._running, False
                delay = shortest if was_running else min(delay * 2, longest)
                explained = self._explain(error)
                # A missing interface is told once, not at every attempt.
                if explained != self._error:
                    logger.error("capture of %s: %s; trying again", self.interface, explained)
                self._error = explained
            if not self._stopping.wait(delay):
                self._restarts += 1
        self._running = False
        self._give(self._meter.flush())
        if self._context:
            self._pass_on(self._context.follow(self._meter))
            self._pass_on(self._context.rest())

    def _explain(self, error: Exception) -> str:
        if isinstance(error, PermissionError):
            return PERMISSION_HINT
        return str(error) or type(error).__name__

    def _capture(self) -> None:
        warm_up_live_capture()
        self._last_packet = time.monotonic()
        with PacketRing(self.interface, self._options, self._frame_counts) as ring:
            self._tell(ring)
            self._running, self._error = True, None
            dropped, frozen = self._kernel_drops, self._freezes
            next_statistics = 0.0
            try:
                while not self._stopping.is_set():
                    self._step(ring)
                    if time.monotonic() >= next_statistics:
                        ring.refresh_mtu()
                        self._read_statistics(ring, dropped, frozen)
                        next_statistics = time.monotonic() + _STATISTICS_SECONDS
                # What had arrived before the stop; on a busy wire there is always more.
                deadline = time.monotonic() + _LAST_SECONDS
                while time.monotonic() < deadline and ring.ready(_POLL_MS):
                    self._step(ring)
            finally:
                self._read_statistics(ring, dropped, frozen)

    def _tell(self, ring: PacketRing) -> None:
        """Say once for every opening what the interface merges and what is left out."""
        self._splits = ring.splits
        self._left_out = tuple(map(str, ring.own_traffic))
        self._offloads = read_offloads(self.interface)
        logger.info("capture of %s: left out: %s", self.interface, ", ".join(self._left_out) or "nothing")
        remedy = cure(self.interface, self._offloads)
        if remedy:
            logger.info(
                "capture of %s: segments arrive merged and are %s; to have them as on the wire: %s",
                *(self.interface, "split again" if ring.splits else "counted as oversized", remedy),
            )

    def _step(self, ring: PacketRing) -> None:
        now_us = time.time_ns() // 1000
        if ring.ready(_POLL_MS):
            now_us = self._take_block(ring)
        self._give(self._meter.expire(now_us - _CLOCK_SLACK_US))
        self._give(self._meter.drain())
        if self._context:
            self._pass_on(self._context.follow(self._meter))

    def _read_statistics(self, ring: PacketRing, dropped: int, frozen: int) -> None:
        ring.read_statistics()
        self._kernel_drops = dropped + ring.kernel_drops
        self._freezes = frozen + ring.freezes

    def _take_block(self, ring: PacketRing) -> int:
        newest = 0
        for block, index, count in ring.take_block(self.evidence):
            self._give(self._meter.feed(block, index, count))
            newest = int(index.ts[count - 1])
        self._last_packet = time.monotonic()
        return newest

    def _give(self, tables: Iterator[FlowTable]) -> None:
        for table in tables:
            self._pass_on(self._context.add(table) if self._context else (table,))

    def _pass_on(self, tables: Iterable[FlowTable]) -> None:
        for table in tables:
            self._flows_shed += self._hand_over(table)


class Sidecar:
    """All captured interfaces of this sensor."""

    def __init__(
        self,
        interfaces: Sequence[str],
        hand_over: HandOver,
        *,
        sensor: str,
        rules: LiveRules,
        options: CaptureOptions | None = None,
        context: Callable[[], HostContext] | None = None,
    ) -> None:
        """Prepare the captures.

        Args:
            interfaces: names of the interfaces.
            hand_over: called from the capture threads with finished flows; must not block; returns
                how many flows it shed.
            sensor: name that the flows carry.
            rules: when flows end on a quiet wire.
            options: what is taken from the wire.
            context: makes what an interface's flows pass before they are handed over; None: nothing.
        """
        options = options or CaptureOptions()
        share = options.evidence_bytes // max(1, len(interfaces))
        self._captures = [
            InterfaceCapture(
                name,
                hand_over,
                sensor=sensor,
                rules=rules,
                options=options,
                evidence=EvidenceStore(share, snaplen=options.snaplen) if share else None,
                context=context() if context else None,
            )
            for name in interfaces
        ]

    def start(self) -> None:
        """Begin to capture all interfaces."""
        for capture in self._captures:
            capture.start()

    def stop(self, timeout: float) -> None:
        """End all captures; open flows are handed over."""
        for capture in self._captures:
            capture.request_stop()
        deadline = time.monotonic() + timeout
        for capture in self._captures:
            capture.join(max(0.0, deadline - time.monotonic()))

    def status(self) -> tuple[InterfaceStatus, ...]:
        """Return the state of every interface."""
        return tuple(capture.status() for capture in self._captures)

    def evidence(self, wanted: Sequence[Wanted], path: str | PathLike[str]) -> int:
        """Write the packets that are kept of flows; see `write_evidence`. Any thread may ask."""
        stores = [capture.evidence for capture in self._captures if capture.evidence]
        return write_evidence(stores, wanted, path)
