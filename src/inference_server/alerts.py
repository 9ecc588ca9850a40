"""Alerts as the settings want them: the policy and everything that takes its messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from alerting.alert import AlertRevision
from alerting.alert_flow import FlowSpan
from alerting.alert_log import NAME, AlertLog
from alerting.alert_stream import AlertStatus, AlertStream, Consumer, Explain
from alerting.book.book import AlertBook
from alerting.book.status import BookStatus
from alerting.book.writer import BookLimits
from alerting.clock import SYSTEM_CLOCK
from alerting.evidence_files import EvidenceFiles, EvidenceFilesStatus
from alerting.line_file import LineFileStatus
from alerting.outbox.outbox import Outbox
from alerting.outbox.status import OutboxStatus
from alerting.outbox.writer import Limits
from alerting.policy import AlertPolicy
from alerting.rules_file import RulesFile
from alerting.transports.transport import Transport
from capture.evidence import FiveTuple, Wanted
from flows.addresses import Network, address_text
from flows.labels import NOVELTY
from inference_server import demo
from inference_server.settings import Settings
from inference_server.stores import log_limits

SIDECAR: Final = "sidecar"
MEGABYTE: Final = 1_000_000

FindPackets = Callable[[Sequence[Wanted], Path], int]


@dataclass(frozen=True, slots=True)
class AlertsStatus:
    """The state of alerting.

    Attributes:
        stream: what became of attack verdicts.
        log: alerts.json.
        evidence: what became of the evidence, None where none is wanted.
        outbox: what became of messages.
        book: what became of them for people to look at.
    """

    stream: AlertStatus
    log: LineFileStatus
    evidence: EvidenceFilesStatus | None
    outbox: OutboxStatus
    book: BookStatus


class Alerts:
    """Joins the parts; the sink feeds `stream`.

    Attributes:
        stream: takes verdicts.
        outbox: takes messages.
        book: has every alert for people to look at.
        evidence: None where none is written.
    """

    def __init__(
        self,
        settings: Settings,
        explain: Explain,
        find_packets: FindPackets,
        transports: Sequence[Transport] = (),
    ) -> None:
        """Make the parts.

        Args:
            settings: the service's.
            explain: says why a flow got its verdict.
            find_packets: writes what capture keeps of flows to a file.
            transports: who delivers messages.
        """
        self._log = AlertLog(settings.log_dir, **log_limits(settings))
        self.evidence = _evidence(settings, find_packets) if settings.evidence_disk_mb else None
        self._rules = RulesFile(settings.alert_rules) if settings.alert_rules else None
        self._own_networks = settings.own_networks
        policy = AlertPolicy(
            aggregated={SIDECAR, demo.SENSOR} if settings.publish_mode == "alert" else (),
            window=settings.alert_window_seconds,
            rules=self._rules,
            per_hour={NOVELTY: settings.novelty_alerts_per_hour},
        )
        self.outbox = Outbox(settings.outbox_file, transports, limits=_limits(settings))
        self.book = AlertBook(
            settings.alerts_file,
            limits=BookLimits(settings.alerts_max_mb * MEGABYTE, settings.keep_days),
            evidence=self.evidence.find if self.evidence else lambda _: None,
            never_blocked=self._never_blocked,
        )
        consumers: dict[str, Consumer] = {
            NAME: self._log.write,
            "outbox": self.outbox.take,
            "alert book": self.book.take,
        }
        if self.evidence:
            consumers["evidence"] = partial(_take_own, self.evidence, settings.sensor_id)
        self.stream = AlertStream(
            policy, consumers, explain=explain, name_evidence=self.evidence.name if self.evidence else None
        )

    def start(self) -> None:
        """Start the threads."""
        self.outbox.start()
        self.book.start()
        if self.evidence:
            self.evidence.start()

    def stop(self, timeout: float) -> None:
        """Write what is due, for at most `timeout` seconds, once the sink has ended."""
        deadline = time.monotonic() + timeout
        if self.evidence:
            self.evidence.stop(timeout / 2)
        self.outbox.stop(deadline - time.monotonic())
        self.book.stop(max(0.5, deadline - time.monotonic()))
        self._log.close()

    def status(self) -> AlertsStatus:
        """Return the state."""
        return AlertsStatus(
            stream=self.stream.status(),
            log=self._log.status(),
            evidence=self.evidence.status() if self.evidence else None,
            outbox=self.outbox.status(),
            book=self.book.status(),
        )

    def _never_blocked(self) -> list[Network]:
        """Return our networks, and the sources that rules in force suppress something of."""
        rules = self._rules.in_force(SYSTEM_CLOCK.wall_us()) if self._rules else []
        return [*self._own_networks, *(network for rule in rules for network in rule.source or ())]


def _limits(settings: Settings) -> Limits:
    return Limits(
        max_bytes=settings.outbox_max_mb * MEGABYTE,
        dead_after_hours=settings.outbox_dead_after_hours,
        keep_hours=settings.outbox_keep_hours,
    )


def _evidence(settings: Settings, find_packets: FindPackets) -> EvidenceFiles:
    def write(spans: Sequence[FlowSpan], path: Path) -> int:
        wanted = [_wanted(span) for span in spans]
        return find_packets([each for each in wanted if each], path)

    return EvidenceFiles(
        settings.log_dir / "evidence",
        write,
        captured=SIDECAR,
        limit_bytes=settings.evidence_disk_mb * MEGABYTE,
    )


def _take_own(evidence: EvidenceFiles, sensor: str, alerts: Sequence[AlertRevision]) -> None:
    """Ask for the evidence of what was captured here: other sensors keep their packets themselves."""
    evidence.take([alert for alert in alerts if alert.flow.shared.sensor == sensor])


def _wanted(span: FlowSpan) -> Wanted | None:
    source, destination = address_text(span.src_addr), address_text(span.dst_addr)
    if source is None or destination is None:
        return None
    flow = FiveTuple(source, max(span.src_port, 0), destination, max(span.dst_port, 0), span.protocol)
    return Wanted(flow, span.start_us, span.end_us)
