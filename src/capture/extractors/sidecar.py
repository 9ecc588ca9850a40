"""The sidecar with PyPI cicflowmeter as its meter: a process an interface, supervised by a thread each."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from typing import Any, Final

import orjson

from capture.evidence import Wanted, write_evidence
from capture.extractors.defects import known_defects
from capture.extractors.environment import Environment
from capture.extractors.packet_program import packet_program
from capture.extractors.process import ExtractorProcess
from capture.extractors.records import FlowReader
from capture.interfaces import check_interface
from capture.options import CaptureOptions
from capture.sidecar import PERMISSION_HINT, HandOver
from capture.status import NOT_STARTED, InterfaceStatus, MeterCounters

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = (1.0, 30.0)
_BATCH_FLOWS: Final = 256
_KILL_SECONDS: Final = 0.5
"""Of the time to stop, what is kept for a process that does not stop by itself."""


class _Tally:
    """The counters of one interface over all processes that measured it."""

    def __init__(self) -> None:
        self._status: dict[str, Any] = {}
        self._before: Counter[str] = Counter()
        self._ignored_before: Counter[str] = Counter()
        self._emitted: Counter[str] = Counter()
        self._handed_since = 0
        self.kernel_drops = 0
        self.counters = self._counted()

    def flow(self, reason: str) -> None:
        self._emitted[reason] += 1
        self._handed_since += 1

    def status(self, line: dict[str, Any]) -> bool:
        """Take a status line; return whether packets came since the last one."""
        more: bool = line["packets"] > self._status.get("packets", 0)
        self._status = line
        self._handed_since = 0
        self.counters = self._counted()
        return more

    def end(self) -> int:
        """Close the account of a process; return how many of its flows were lost with it."""
        lost: int = max(self._status.get("live", 0) - self._handed_since, 0)
        for name in ("packets", "metered", "dropped", "kernel_drops"):
            self._before[name] += self._status.get(name, 0)
        self._before["dropped"] += lost
        self._ignored_before.update(self._status.get("ignored", {}))
        self._status = {}
        self._handed_since = 0
        self.counters = self._counted()
        return lost

    def _counted(self) -> MeterCounters:
        now = self._before + Counter(
            {name: self._status.get(name, 0) for name in ("packets", "metered", "dropped")}
        )
        live = self._status.get("live", 0)
        self.kernel_drops = self._before["kernel_drops"] + self._status.get("kernel_drops", 0)
        return MeterCounters(
            packets=now["packets"],
            metered=now["metered"],
            late=0,
            ignored=dict(self._ignored_before + Counter(self._status.get("ignored", {}))),
            flows_opened=self._emitted.total() + now["dropped"] + live,
            flows_dropped=now["dropped"],
            emitted=dict(self._emitted),
            flows_live=live,
        )


class InterfaceExtractor:
    """One interface, the process that measures it, and the thread that reads and restarts that process."""

    def __init__(
        self,
        interface: str,
        hand_over: HandOver,
        *,
        sensor: str,
        environment: Environment,
        options: CaptureOptions,
    ) -> None:
        """Prepare it; `start` starts the process."""
        self.interface = interface
        self._options = options
        self._left_out: tuple[str, ...] = ()
        self._hand_over = hand_over
        self._environment = environment
        self._reader = FlowReader(environment.release, sensor, interface)
        self._tally = _Tally()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"extractor-{interface}", daemon=True)
        self._process: ExtractorProcess | None = None
        self._running = False
        self._error: str | None = NOT_STARTED
        self._restarts = 0
        self._flows_shed = 0
        self._last_packet = time.monotonic()

    @property
    def pid(self) -> int | None:
        """The process id, None while there is no process."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Begin to measure."""
        self._thread.start()

    def request_stop(self) -> None:
        """Ask the process to hand over the flows that are still open, and to end."""
        self._stopping.set()
        if process := self._process:
            process.request_stop()

    def join(self, timeout: float) -> None:
        """Wait for the end; a process that takes longer is killed."""
        if self._thread.ident is None:
            return
        self._thread.join(max(0.0, timeout - _KILL_SECONDS))
        if self._thread.is_alive():
            if process := self._process:
                process.kill()
            self._thread.join(_KILL_SECONDS)
        if self._thread.is_alive():
            logger.error("cicflowmeter on %s did not stop within %.1f s", self.interface, timeout)

    def status(self) -> InterfaceStatus:
        """Return the state and the counters, which are at most a second old."""
        return InterfaceStatus(
            interface=self.interface,
            running=self._running,
            error=self._error,
            counters=self._tally.counters,
            kernel_drops=self._tally.kernel_drops,
            ring_freezes=0,
            silent_seconds=time.monotonic() - self._last_packet,
            restarts=self._restarts,
            flows_shed=self._flows_shed,
            packet_filter=self._options.packet_filter,
            left_out=self._left_out,
        )

    def _run(self) -> None:
        shortest, longest = _RETRY_SECONDS
        delay = shortest
        while not self._stopping.is_set():
            error = self._measure()
            was_running, self._running = self._running, False
            if error is None and self._stopping.is_set():
                break
            delay = shortest if was_running else min(delay * 2, longest)
            error = error or "ended by itself"
            if error != self._error and not self._stopping.is_set():
                logger.error("cicflowmeter on %s: %s; trying again", self.interface, error)
            self._error = error
            if not self._stopping.wait(delay):
                self._restarts += 1

    def _measure(self) -> str | None:
        """Run one process to its end; return why it failed, None when it did not."""
        try:
            check_interface(self.interface)
            program = packet_program(self.interface, self._options)
            self._left_out = tuple(map(str, program.left_out))
            opening = orjson.dumps(program.as_json()).decode()
            process = ExtractorProcess(self._environment, "live", self.interface, opening)
        except PermissionError:
            return PERMISSION_HINT
        except (OSError, ValueError) as error:
            return str(error)
        self._process = process
        if self._stopping.is_set():
            process.request_stop()
        problem: str | None = None
        try:
            self._read(process)
        except Exception as error:
            logger.exception("cicflowmeter on %s: its output cannot be used", self.interface)
            problem = f"its output cannot be used: {error}"
            process.kill()
        problem = process.close() or problem
        lost = self._tally.end()
        if lost:
            logger.warning(
                "cicflowmeter on %s ended before %d open flows were handed over", self.interface, lost
            )
        return PERMISSION_HINT if problem and problem.startswith("PermissionError") else problem

    def _read(self, process: ExtractorProcess) -> None:
        flows: list[dict[str, Any]] = []
        try:
            for line in process.lines():
                if line["kind"] == "flow":
                    flows.append(line)
                    self._tally.flow(line["reason"])
                elif line["kind"] == "ready":
                    self._running, self._error = True, None
                    self._last_packet = time.monotonic()
                elif self._tally.status(line):
                    self._last_packet = time.monotonic()
                if len(flows) >= _BATCH_FLOWS or (flows and line["kind"] == "status"):
                    finished, flows = flows, []
                    self._give(finished)
        finally:
            if flows:
                self._give(flows)

    def _give(self, flows: list[dict[str, Any]]) -> None:
        self._flows_shed += self._hand_over(self._reader.table(flows))


class ExtractorSidecar:
    """All interfaces of this sensor, measured by PyPI cicflowmeter; used as `capture.sidecar.Sidecar` is."""

    def __init__(
        self,
        interfaces: Sequence[str],
        hand_over: HandOver,
        *,
        sensor: str,
        environment: Environment,
        options: CaptureOptions | None = None,
    ) -> None:
        """Prepare the processes.

        Args:
            interfaces: their names.
            hand_over: called from the reading threads with finished flows; must not block. It returns
                how many flows it shed.
            sensor: name that the flows carry.
            environment: where cicflowmeter is installed.
            options: what is taken from the wire; its snaplen, limit of flows and evidence are not used.
        """
        self._release = environment.release
        self._extractors = [
            InterfaceExtractor(
                name,
                hand_over,
                sensor=sensor,
                environment=environment,
                options=options or CaptureOptions(),
            )
            for name in interfaces
        ]

    def start(self) -> None:
        """Begin to measure all interfaces, and say what is known to be wrong with the numbers."""
        logger.warning(
            "PyPI cicflowmeter %s measures instead of the own meter (CAPTURE_EXTRACTOR); it is known that %s",
            *(self._release, "; ".join(known_defects(self._release))),
        )
        for extractor in self._extractors:
            extractor.start()

    def stop(self, timeout: float) -> None:
        """End all processes; open flows are handed over."""
        for extractor in self._extractors:
            extractor.request_stop()
        deadline = time.monotonic() + timeout
        for extractor in self._extractors:
            extractor.join(max(0.0, deadline - time.monotonic()))

    def status(self) -> tuple[InterfaceStatus, ...]:
        """Return the state of every interface."""
        return tuple(extractor.status() for extractor in self._extractors)

    def evidence(self, wanted: Sequence[Wanted], path: str | PathLike[str]) -> int:
        """Write what is kept of flows' packets, which is nothing: see `write_evidence`."""
        return write_evidence([], wanted, path)
