"""One line a minute in the application log: packets, flows, attacks, drops."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final, Self

from detection.worker_counters import WorkerCounters
from flows.verdicts import BENIGN, INSUFFICIENT
from inference_server.telemetry.status import ServiceStatus

INTERVAL_SECONDS: Final = 60.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Totals:
    """The counters of the line, since the start."""

    packets: int
    flows: int
    attacks: int
    insufficient: int
    kernel_drops: int
    shed: int
    unlogged: int

    @classmethod
    def of(cls, status: ServiceStatus) -> Self:
        """Read them from the service's state."""
        verdicts = status.sink.verdicts
        interfaces = status.capture.interfaces
        return cls(
            packets=sum(interface.counters.packets for interface in interfaces),
            flows=sum(verdicts.values()),
            attacks=sum(n for (_, label), n in verdicts.items() if label not in (BENIGN, INSUFFICIENT)),
            insufficient=sum(n for (_, label), n in verdicts.items() if label == INSUFFICIENT),
            kernel_drops=sum(interface.kernel_drops for interface in interfaces),
            shed=unscored(status.scoring),
            unlogged=status.sink.dropped + sum(file.lost for file in status.sink.files),
        )

    def since(self, before: Totals) -> str:
        """Say what came since an earlier look."""
        more = {field.name: getattr(self, field.name) - getattr(before, field.name) for field in fields(self)}
        return (
            "{packets} packets, {flows} flows judged, {attacks} attacks, {insufficient} insufficient, "
            "dropped: {kernel_drops} packets, {shed} unscored flows, {unlogged} unlogged verdicts"
        ).format(**more)


def unscored(counters: WorkerCounters) -> int:
    """Return how many captured flows got no verdict."""
    return counters.shed + counters.failed + sum(counters.refused.values())


class MinuteReport:
    """A thread that writes the line."""

    def __init__(self, status: Callable[[], ServiceStatus], *, interval: float = INTERVAL_SECONDS) -> None:
        self._status = status
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="minute-report", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        before = Totals.of(self._status())
        while not self._stop.wait(self._interval):
            try:
                now = Totals.of(self._status())
                logger.info("last %.0f s: %s", self._interval, now.since(before))
                before = now
            except Exception:
                logger.exception("no report for this minute")
