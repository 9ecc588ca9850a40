"""The metrics of what becomes of attack verdicts: alerts, messages, evidence, and people who look at them."""

from __future__ import annotations

from collections.abc import Iterable

from alerting.alert_stream import AlertStatus
from alerting.benign_stream import BenignStatus
from alerting.book.status import BookStatus
from alerting.event import EventsStatus
from alerting.evidence_files import EvidenceFilesStatus
from alerting.outbox.status import OutboxStatus
from inference_server.telemetry.status import ServiceStatus

Sample = tuple[str, tuple[str, ...], float]
"""A metric's name, its labels and its value."""


def alert_samples(status: ServiceStatus) -> Iterable[Sample]:
    """Yield the samples of everything behind the sink."""
    yield from _alert_samples(status.alerts.stream)
    if status.alerts.evidence:
        yield from _evidence_samples(status.alerts.evidence)
    yield from _outbox_samples(status.alerts.outbox)
    yield from _book_samples(status.alerts.book)
    for stream in status.benign:
        yield from _benign_samples(stream)
    yield from _event_samples(status.events)


def _alert_samples(status: AlertStatus) -> Iterable[Sample]:
    policy = status.policy
    yield "attacks_aggregated", (), policy.aggregated
    for rule, verdicts in policy.suppressed.items():
        yield "attacks_suppressed", (rule,), verdicts
    yield "alerts", ("opened",), policy.opened
    yield "alerts", ("closed",), sum(policy.closed.values())
    for reason, alerts in policy.closed.items():
        yield "alerts_closed", (reason,), alerts
    yield "alerts_open", (), policy.open
    yield "alerts_open_capacity", (), policy.capacity
    yield "alert_messages", (), policy.messages
    for consumer, messages in status.failed.items():
        yield "alert_messages_failed", (consumer,), messages
    for outcome, explanations in status.explained.items():
        yield "alert_explanations", (outcome,), explanations
    if status.rules:
        yield "alert_rules_current", (), float(status.rules.error is None)


def _outbox_samples(outbox: OutboxStatus) -> Iterable[Sample]:
    yield "outbox_messages", (), outbox.offered
    yield "outbox_committed", (), outbox.committed
    for reason, messages in outbox.lost.items():
        yield "outbox_lost", (reason,), messages
    yield "outbox_deleted", (), outbox.deleted
    yield "outbox_waiting", (), outbox.waiting
    yield "outbox_waiting_bytes", (), outbox.waiting_bytes
    yield "outbox_waiting_capacity_bytes", (), outbox.capacity_bytes
    yield "outbox_kept", (), outbox.messages
    yield "outbox_bytes", (), outbox.bytes
    yield "outbox_limit_bytes", (), outbox.limit_bytes
    yield "thread_restarts", ("outbox",), outbox.restarts
    yield "thread_running", ("outbox",), float(outbox.running)
    for each in outbox.transports:
        transport = (each.name,)
        yield "transport_messages", transport, each.committed
        yield "transport_delivered", transport, each.delivered
        yield "transport_failures", transport, each.failures
        yield "transport_pending", transport, each.pending
        yield "transport_dead", transport, each.dead
        yield "transport_oldest_seconds", transport, each.oldest_seconds
        if each.configured:
            yield "thread_restarts", (f"publisher-{each.name}",), each.restarts
            yield "thread_running", (f"publisher-{each.name}",), float(each.running)


def _book_samples(book: BookStatus) -> Iterable[Sample]:
    yield "book_messages", (), book.offered
    yield "book_committed", (), book.committed
    for reason, messages in book.lost.items():
        yield "book_lost", (reason,), messages
    yield "book_deleted", (), book.deleted
    yield "book_waiting", (), book.waiting
    yield "book_waiting_capacity", (), book.capacity
    yield "book_alerts", (), book.alerts
    yield "book_labels", (), book.labels
    yield "book_bytes", (), book.bytes
    yield "book_limit_bytes", (), book.limit_bytes
    yield "thread_restarts", ("alert-book",), book.restarts
    yield "thread_running", ("alert-book",), float(book.running)
    yield "live_subscriptions", (), book.live.subscribed
    yield "live_subscribers", (), book.live.subscribers
    yield "live_subscribers_capacity", (), book.live.capacity
    yield "live_refused", (), book.live.refused
    yield "live_dropped", (), book.live.dropped
    yield "live_messages", (), book.live.batches
    yield "live_alerts_skipped", (), book.live.skipped
    yield "live_failures", (), book.live.failures
    yield "thread_running", ("alert-feed",), float(book.live.running)


def _benign_samples(stream: BenignStatus) -> Iterable[Sample]:
    transport = (stream.transport,)
    yield "benign_flows_offered", transport, stream.offered
    yield "benign_flows_published", transport, stream.published
    for reason, flows in stream.dropped.items():
        yield "benign_flows_dropped", (*transport, reason), flows
    yield "benign_flows_waiting", transport, stream.waiting
    yield "thread_running", (f"benign-{stream.transport}",), float(stream.running)


def _event_samples(events: EventsStatus) -> Iterable[Sample]:
    for labels, messages in events.told.items():
        yield "operational_events", labels, messages
    yield "thread_running", ("events",), float(events.running)


def _evidence_samples(evidence: EvidenceFilesStatus) -> Iterable[Sample]:
    yield "evidence_files_written", (), evidence.written
    yield "evidence_files_missing", ("no packets kept",), evidence.no_packets
    yield "evidence_files_missing", ("failed",), evidence.failed
    for reason, alerts in evidence.skipped.items():
        yield "evidence_files_missing", (reason,), alerts
    yield "evidence_files_deleted", (), evidence.deleted
    yield "evidence_files", (), evidence.files
    yield "evidence_files_bytes", (), evidence.bytes
    yield "thread_running", ("evidence",), float(evidence.running)
