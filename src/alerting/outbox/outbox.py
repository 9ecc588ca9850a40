"""The outbox: a message is committed to a file before anybody sends it, so that none is lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from alerting.alert import AlertRevision
from alerting.clock import SYSTEM_CLOCK, Clock
from alerting.message import Message, alert_message
from alerting.outbox.intake import CAPACITY_BYTES, Intake
from alerting.outbox.publisher import Publisher
from alerting.outbox.status import OutboxStatus, TransportStatus
from alerting.outbox.store import Kept, TransportCounts
from alerting.outbox.writer import Limits, Writer
from alerting.transports.transport import Transport

NONE_YET: Final = TransportCounts(0, 0, 0, 0, 0, 0)
logger = logging.getLogger(__name__)


class Outbox:
    """Commits messages in groups and has every transport deliver them, each at its own pace.

    Without a transport messages are kept all the same, for `ml-ids outbox`.
    """

    def __init__(
        self,
        path: Path,
        transports: Sequence[Transport] = (),
        *,
        limits: Limits | None = None,
        capacity_bytes: int = CAPACITY_BYTES,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Make an outbox that is not running yet.

        Args:
            path: its file.
            transports: who delivers; their names differ.
            limits: how much is kept, for how long.
            capacity_bytes: how much may wait in memory to be committed.
            clock: where the time comes from.
        """
        self._limits = limits or Limits()
        self._intake = Intake(capacity_bytes)
        names = [transport.name for transport in transports]
        self._writer = Writer(path, self._intake, names, self._limits, clock=clock, committed=self.wake)
        self._publishers = [
            Publisher(transport, self._intake, self._writer.time, clock=clock) for transport in transports
        ]

    def start(self) -> None:
        """Start every thread."""
        self._writer.start()
        for publisher in self._publishers:
            publisher.start()

    def take(self, alerts: Sequence[AlertRevision]) -> None:
        """Take over revisions of alerts."""
        self.put([alert_message(alert) for alert in alerts])

    def put(self, messages: Sequence[Message]) -> None:
        """Take over messages, to be committed at once and then delivered; any thread may call.

        Waits a little for room in memory while the disk takes what there is, and counts what finds none.
        """
        self._intake.put(
            [
                Kept(message.message_id, message.kind, message.made_us, message.encode())
                for message in messages
            ]
        )

    def wake(self) -> None:
        """Have every transport look for what is due."""
        for publisher in self._publishers:
            publisher.wake()

    def stop(self, timeout: float) -> None:
        """Commit what waits, let calls that are under way end, for at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        for publisher in self._publishers:
            publisher.ask_to_stop()
        # Deliveries that end in time are settled: they are not repeated at the next start.
        for publisher in self._publishers:
            publisher.join(max(0.0, (deadline - time.monotonic()) / 2))
        self._writer.stop(max(0.5, deadline - time.monotonic()))

    def status(self) -> OutboxStatus:
        """Return the counters."""
        intake, writer = self._intake, self._writer
        with intake.changed:
            waiting, waiting_bytes = intake.waiting()
            offered, committed, lost = intake.offered, intake.committed, dict(intake.lost)
        contents = writer.contents
        counts = contents.transports or {}
        publishers = {publisher.transport.name: publisher for publisher in self._publishers}
        return OutboxStatus(
            running=writer.owner.running,
            restarts=writer.owner.restarts,
            offered=offered,
            committed=committed,
            waiting=waiting,
            waiting_bytes=waiting_bytes,
            capacity_bytes=intake.capacity_bytes,
            lost=lost,
            messages=contents.messages,
            bytes=contents.bytes,
            limit_bytes=self._limits.max_bytes,
            deleted=contents.deleted,
            error=writer.owner.error,
            notes=writer.owner.notes,
            transports=tuple(
                _transport(name, publishers.get(name), counts.get(name, NONE_YET))
                for name in sorted({*publishers, *counts})
            ),
        )


def _transport(name: str, publisher: Publisher | None, counts: TransportCounts) -> TransportStatus:
    return TransportStatus(
        name=name,
        configured=publisher is not None,
        running=publisher is not None and publisher.running,
        restarts=publisher.restarts if publisher else 0,
        committed=counts.committed,
        delivered=counts.delivered,
        pending=counts.pending,
        dead=counts.dead,
        discarded=counts.discarded,
        oldest_seconds=counts.oldest_us / 1e6,
        failures=publisher.failures if publisher else 0,
        error=publisher.error if publisher else None,
        delivered_at=publisher.delivered_at if publisher else None,
    )
