"""Captured flows on their way to the central service that scores them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

from flows.table import FlowTable
from inference_server.central.keeper import Keeper
from inference_server.central.sender import Sender
from inference_server.central.spool import DELIVERED, SPOOLED
from inference_server.central.status import CentralStatus
from inference_server.central.waiting import Waiting
from inference_server.live_capture import CaptureStatus
from inference_server.sensors.messages import SensorReport
from inference_server.settings import Settings

MEGABYTE: Final = 1_000_000
SCORED_ELSEWHERE: Final = "REMOTE_SCORING_URL is set: flows are scored there"
logger = logging.getLogger(__name__)


class CentralScoring:
    """memory ──▶ spool ──▶ central service; joins the parts."""

    def __init__(self, settings: Settings, url: str, capture: Callable[[], CaptureStatus]) -> None:
        """Make what is not running yet.

        Args:
            settings: the service's.
            url: REMOTE_SCORING_URL.
            capture: tells the state of live capture.

        Raises:
            OSError: REMOTE_SCORING_CA_FILE is no PEM file of certificates.
        """
        self._url = url
        self._sensor = settings.sensor_id
        self._capture = capture
        self._waiting = Waiting()
        self._keeper = Keeper(settings.spool_file, self._waiting, settings.remote_spool_mb * MEGABYTE)
        key, ca_file = settings.remote_scoring_key, settings.remote_scoring_ca_file
        self._sender = Sender(
            url,
            self._keeper,
            self._report,
            sensor=self._sensor,
            key=key.get_secret_value() if key else None,
            ca_file=str(ca_file) if ca_file else None,
        )

    def start(self) -> None:
        """Start the threads."""
        self._keeper.start()
        self._sender.start()

    def put(self, table: FlowTable) -> int:
        """Take captured flows without waiting; return how many there was no room for."""
        return self._waiting.put(table)

    def host_context(self) -> bool:
        """Whether the central model reads what hosts did lately."""
        return self._sender.host_context

    def stop(self, timeout: float) -> None:
        """Spool what waits and send what can be, for at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self._waiting.close()
        self._sender.stop(timeout / 2)
        self._keeper.stop(max(0.5, deadline - time.monotonic()))

    def status(self) -> CentralStatus:
        """Return the counters."""
        waiting, keeper, sender = self._waiting, self._keeper, self._sender
        with waiting.changed:
            handed_over, in_memory, lost = waiting.handed_over, waiting.flows, dict(waiting.lost)
        counts = keeper.counts
        totals = dict(counts.totals or {})
        spooled, delivered = totals.pop(SPOOLED, 0), totals.pop(DELIVERED, 0)
        oldest = counts.oldest_us
        return CentralStatus(
            url=self._url,
            spool_running=keeper.owner.running,
            sender_running=sender.running,
            restarts=keeper.owner.restarts + sender.restarts,
            handed_over=handed_over,
            waiting=in_memory,
            lost={reason: flows for reason, flows in lost.items() if flows},
            spooled=spooled,
            delivered=delivered,
            dropped={reason: flows for reason, flows in totals.items() if flows},
            pending=counts.flows,
            pending_batches=counts.batches,
            oldest_seconds=0.0 if oldest is None else max(time.time() - oldest / 1e6, 0.0),
            bytes=keeper.bytes,
            limit_bytes=keeper.limit_bytes,
            sent_bytes=sender.sent_bytes,
            failures=sender.failures,
            back_pressure=sender.back_pressure,
            host_context=sender.host_context,
            error=sender.error,
            spool_error=keeper.owner.error,
            delivered_at=sender.delivered_at,
            notes=keeper.owner.notes,
        )

    def _report(self, stream: str) -> dict[str, Any]:
        status, capture = self.status(), self._capture()
        dropped = status.dropped | status.lost
        return SensorReport(
            sensor=self._sensor,
            stream=stream,
            version=version("ml-ids"),
            sent_us=time.time_ns() // 1000,
            interfaces=len(capture.interfaces),
            interfaces_down=sum(not each.running for each in capture.interfaces) + bool(capture.error),
            kernel_drops=sum(each.kernel_drops for each in capture.interfaces),
            waiting_flows=status.waiting + status.pending,
            spooled_bytes=status.bytes,
            oldest_seconds=status.oldest_seconds,
            dropped=dropped,
        ).model_dump()


def configured_central(settings: Settings, capture: Callable[[], CaptureStatus]) -> CentralScoring | None:
    """Return what the settings want, None without REMOTE_SCORING_URL; `capture`: see `CentralScoring`."""
    if settings.remote_scoring_url:
        return CentralScoring(settings, settings.remote_scoring_url, capture)
    if settings.spool_file.exists():
        logger.warning(
            "%s may hold flows that were not sent: set REMOTE_SCORING_URL again, or delete the file",
            settings.spool_file,
        )
    return None
