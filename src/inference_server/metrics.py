"""GET /metrics: a view of the service's state, counted nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from alerting.flow_archive import FlowArchiveStatus
from alerting.sink import SinkStatus
from capture.status import InterfaceStatus
from detection.shadow import ShadowStatus
from detection.worker_counters import WorkerCounters
from flows.verdicts import BENIGN, INSUFFICIENT
from inference_server.alert_metrics import Sample, alert_samples
from inference_server.status import ServiceStatus, log_files
from inference_server.uploads.samples import upload_samples

PREFIX: Final = "mlids_"
LATENCY_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
# fmt: off
COUNTERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "packets": ("Packets seen; those metered, late and ignored add up to it.", ("interface",)),
    "packets_metered": ("Packets that a flow took.", ("interface",)),
    "packets_late": ("Packets of flows that had already been emitted.", ("interface",)),
    "packets_ignored": ("Packets that no flow took.", ("interface", "reason")),
    "frames": ("Frames read; less those merged and with the segments, the packets.", ("interface",)),
    "frames_above_mtu": ("Frames longer than the interface's MTU allows.", ("interface",)),
    "frames_merged": ("Frames of several segments that were split.", ("interface",)),
    "frames_oversized": ("Frames merged or above the MTU that could not be split.", ("interface",)),
    "segments": ("What merged frames were split into.", ("interface",)),
    "kernel_drops": ("Packets the kernel dropped because the ring was full.", ("interface",)),
    "ring_freezes": ("How often the ring was full.", ("interface",)),
    "flows_opened": ("Flows begun; those emitted, dropped and live add up to it.", ("interface",)),
    "flows_dropped": ("Flows of one packet that the dialect does not emit.", ("interface",)),
    "flows_emitted": ("Flows emitted, by what ended them.", ("interface", "reason")),
    "flows_emitted_early": ("Provisional copies of flows that went on.", ("interface",)),
    "flows_handed_over": ("Flows captures handed over; those scored, shed and queued add up to it.", ()),
    "flows_scored": ("Flows of captures that were scored.", ()),
    "flows_shed": ("Flows of captures that were not scored.", ("reason",)),
    "requested_flows_scored": ("Flows of requests that were scored.", ()),
    "challenger_flows": ("Flows a challenger was compared on since it, or the champion, changed.", ()),
    "challenger_flows_skipped": ("Flows it was not compared on.", ("reason",)),
    "challenger_disagreements": ("Flows with two different labels.", ("champion", "challenger")),
    "predictions": ("Verdicts, by who asked (sidecar, demo, api).", ("source", "result", "label")),
    "verdicts_unlogged": ("Verdicts that reached no log: the queue was full, or the sink failed.", ()),
    "attacks_unalerted": ("Attacks that no alert heard of: the queue was full, or the sink failed.", ()),
    "attacks_aggregated": ("Attacks that alerts count.", ()),
    "attacks_suppressed": ("Attacks that a rule suppressed.", ("reason",)),
    "alerts": ("Alerts opened, and closed.", ("state",)),
    "alerts_closed": ("Alerts closed, by reason.", ("reason",)),
    "alert_messages": ("Revisions of alerts, first and last ones included.", ()),
    "alert_messages_failed": ("Revisions that a consumer did not take, a defect.", ("consumer",)),
    "alert_explanations": ("Explanations for alerts, by outcome.", ("outcome",)),
    "outbox_messages": (
        "Messages that came to the outbox; those committed, lost and waiting add up to it.", ()),
    "outbox_committed": ("Messages committed to disk.", ()),
    "outbox_lost": ("Messages that were not committed.", ("reason",)),
    "outbox_deleted": ("Messages deleted from the outbox, delivered or the oldest.", ()),
    "book_messages": (
        "Messages that came to the alert book; those committed, lost and waiting add up to it.", ()),
    "book_committed": ("Messages that are in the alert book.", ()),
    "book_lost": ("Messages that are not: the disk is too slow, or cannot be written.", ("reason",)),
    "book_deleted": ("Alerts and labels deleted because of KEEP_DAYS or ALERTS_MAX_MB.", ()),
    "live_subscriptions": ("Subscriptions to live alerts.", ()),
    "live_refused": ("Subscriptions refused because there were too many.", ()),
    "live_dropped": ("Subscribers dropped because they were too slow.", ()),
    "live_messages": ("Messages handed to subscribers, one each.", ()),
    "live_alerts_skipped": ("Alerts that messages to subscribers left out because they were too many.", ()),
    "live_failures": ("Looks at the alert book for subscribers that failed.", ()),
    "transport_messages": (
        "Messages committed for a transport; delivered, pending and dead ones add up to it.", ("transport",)),
    "transport_delivered": ("Messages it delivered.", ("transport",)),
    "transport_failures": ("Attempts that failed, one a message.", ("transport",)),
    "benign_flows_offered": (
        "Benign flows that were to be published; those published, dropped and waiting add up to it.",
        ("transport",)),
    "benign_flows_published": ("Benign flows that a queue took.", ("transport",)),
    "benign_flows_dropped": ("Benign flows that were not published.", ("transport", "reason")),
    "operational_events": ("Events of the sensor itself that were told.", ("event", "state")),
    "evidence_files_written": ("Captures of alerts' first packets written.", ()),
    "evidence_files_missing": ("Alerts of captured flows without one.", ("reason",)),
    "evidence_files_deleted": ("Those deleted to keep EVIDENCE_DISK_MB.", ()),
    "log_lines_written": ("Lines written to a log file.", ("file",)),
    "log_files_deleted": ("Rotated files deleted to keep LOG_MAX_MB.", ("file",)),
    "store_files_expired": ("Files deleted because of KEEP_DAYS.", ("store",)),
    "log_lines_lost": ("Lines that could not be written.", ("file",)),
    "archive_flows_written": ("Captured flows that were archived.", ()),
    "archive_flows_dropped": ("Captured flows that were not.", ("reason",)),
    "archive_files_deleted": ("Files of the archive deleted to keep FLOW_ARCHIVE_GB.", ()),
    "uploads": ("Captures that were sent, by what became of them.", ("state",)),
    "upload_flows": ("Flows of them that were judged.", ("result",)),
    "model_load_failures": ("Checks of the registry, and versions of the model, that failed.", ()),
    "thread_restarts": ("How often a thread was started again after a failure.", ("thread",)),
}
GAUGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "flows_live": ("Flows still open.", ("interface",)),
    "flow_table_bytes": ("Memory for open flows; what none has used yet is not resident.", ("interface",)),
    "ring_bytes": ("Memory that packets arrive in.", ("interface",)),
    "evidence_packets": ("Recent packets kept in memory.", ("interface",)),
    "evidence_bytes": ("Memory they take.", ("interface",)),
    "capture_running": ("1 when packets of the interface are being read.", ("interface",)),
    "capture_silent_seconds": ("Seconds since the last packet.", ("interface",)),
    "scoring_queue_flows": ("Flows of captures waiting to be scored.", ()),
    "scoring_queue_capacity_flows": ("How many may wait before flows are shed.", ()),
    "sink_queue_flows": ("Verdicts waiting to be written.", ()),
    "sink_queue_capacity_flows": ("How many may wait before verdicts stay unlogged.", ()),
    "archive_queue_flows": ("Captured flows waiting to be archived.", ()),
    "archive_queue_capacity_flows": ("How many may wait before they are dropped.", ()),
    "archive_files": ("Files of archived flows.", ()),
    "archive_bytes": ("What they take on disk.", ()),
    "evidence_files": ("Captures of alerts' first packets on disk.", ()),
    "evidence_files_bytes": ("What they take there.", ()),
    "outbox_waiting": ("Messages in memory that wait to be committed.", ()),
    "outbox_waiting_bytes": ("What they take there.", ()),
    "outbox_waiting_capacity_bytes": ("How much may wait before messages are lost.", ()),
    "outbox_kept": ("Messages in the outbox.", ()),
    "outbox_bytes": ("What they take on disk.", ()),
    "outbox_limit_bytes": ("How much they may take before the oldest are deleted.", ()),
    "book_waiting": ("Messages of alerts in memory that wait to be committed to the alert book.", ()),
    "book_waiting_capacity": ("How many may wait before messages are lost.", ()),
    "book_alerts": ("Alerts in the alert book.", ()),
    "book_labels": ("Labelled flows in it.", ()),
    "book_bytes": ("What it takes on disk.", ()),
    "book_limit_bytes": ("How much it may take before the oldest alerts are deleted.", ()),
    "live_subscribers": ("Subscribers of live alerts, dashboards' own subscription included.", ()),
    "live_subscribers_capacity": ("How many there may be.", ()),
    "transport_pending": ("Messages a transport is still to deliver.", ("transport",)),
    "transport_dead": ("Messages given up, deleted ones included.", ("transport",)),
    "transport_oldest_seconds": ("How long its oldest pending message has been waiting.", ("transport",)),
    "benign_flows_waiting": ("Benign flows that wait to be published.", ("transport",)),
    "store_files": ("Files on disk.", ("store",)),
    "store_bytes": ("What they take.", ("store",)),
    "store_limit_bytes": ("What they may take.", ("store",)),
    "alerts_open": ("Alerts that are open.", ()),
    "alerts_open_capacity": ("How many may be; one more closes the oldest.", ()),
    "alert_rules_current": ("1 when the rules file is in use as it is.", ()),
    "operating_threshold": ("The operating threshold in force.", ()),
    "model_loaded": ("1 when a model serves.", ()),
    "model_from_cache": ("1 when the registry has not confirmed the model that serves.", ()),
    "model_checked_timestamp_seconds": ("Unix time of the last check of the registry that was well.", ()),
    "uploads_active": ("Captures that are received, wait or are analysed.", ()),
    "drift_share": ("Share of features whose population stability index is above 0.25.", ()),
    "feature_psi": ("Population stability index of the last hour's captured flows.", ("feature",)),
    "resident_bytes": ("Resident set of the process, rings and flow tables included.", ()),
    "thread_running": ("1 when the thread is alive.", ("thread",)),
}
# fmt: on
LATENCY: Final = ("prediction_latency_seconds", "Time from a request's body to its verdicts.")
MODEL: Final = ("model", "The model that serves.")
CHALLENGER: Final = ("challenger", "The model of the alias challenger.")


class Metrics:
    """The registry of one service's metrics."""

    def __init__(self, status: Callable[[], ServiceStatus]) -> None:
        self._registry = CollectorRegistry()
        self.prediction_latency = Histogram(
            PREFIX + LATENCY[0], LATENCY[1], buckets=LATENCY_BUCKETS, registry=self._registry
        )
        self._registry.register(_ServiceCollector(status))

    def exposition(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _ServiceCollector(Collector):
    def __init__(self, status: Callable[[], ServiceStatus]) -> None:
        self._status = status

    def describe(self) -> Iterable[Metric]:
        return _families().values()

    def collect(self) -> Iterable[Metric]:
        status = self._status()
        families = _families()
        for name, labels, value in _samples(status):
            families[name].add_metric(labels, value)
        for (name, text), scorer in ((MODEL, status.scorer), (CHALLENGER, status.model.challenger)):
            if scorer:
                about = {
                    "name": scorer.model_name,
                    "version": scorer.model_version,
                    "dialect": scorer.record.dialect,
                    "schema_id": scorer.record.schema_id,
                }
                yield InfoMetricFamily(PREFIX + name, text, about)
        yield from families.values()


def _families() -> dict[str, CounterMetricFamily | GaugeMetricFamily]:
    counters = {
        name: CounterMetricFamily(PREFIX + name, text, labels=labels)
        for name, (text, labels) in COUNTERS.items()
    }
    gauges = {
        name: GaugeMetricFamily(PREFIX + name, text, labels=labels) for name, (text, labels) in GAUGES.items()
    }
    return counters | gauges


def _samples(status: ServiceStatus) -> Iterable[Sample]:
    for interface in status.capture.interfaces:
        yield from _capture_samples(interface)
    yield from _scoring_samples(status.scoring)
    if status.shadow:
        yield from _shadow_samples(status.shadow)
    yield from _model_samples(status)
    yield from _sink_samples(status.sink)
    yield from alert_samples(status)
    for file in log_files(status):
        yield "log_lines_written", (file.name,), file.written
        yield "log_lines_lost", (file.name,), file.lost
        yield "log_files_deleted", (file.name,), file.deleted
    for store in status.stores:
        yield "store_files", (store.name,), store.files
        yield "store_bytes", (store.name,), store.bytes
        yield "store_limit_bytes", (store.name,), store.limit_bytes
        yield "store_files_expired", (store.name,), store.expired
    yield from upload_samples(status.uploads)
    yield "thread_running", ("housekeeping",), float(status.housekeeping_running)
    yield "resident_bytes", (), status.resident_bytes
    yield "thread_restarts", ("scoring",), status.scoring.restarts
    yield "thread_running", ("scoring",), float(status.scoring_running)
    if status.archive.enabled:
        yield from _archive_samples(status.archive)


def _model_samples(status: ServiceStatus) -> Iterable[Sample]:
    yield "model_loaded", (), float(status.scorer is not None)
    yield "model_from_cache", (), float(status.model.source == "cache")
    if status.model.checked_at is not None:
        yield "model_checked_timestamp_seconds", (), status.model.checked_at
    yield "model_load_failures", (), status.model.failures
    if status.threshold is not None:
        yield "operating_threshold", (), status.threshold.value
    if status.drift and status.drift.psi:
        yield "drift_share", (), status.drift.share
        for feature, index in status.drift.psi.items():
            yield "feature_psi", (feature,), index


def _sink_samples(sink: SinkStatus) -> Iterable[Sample]:
    yield "sink_queue_flows", (), sink.queued
    yield "sink_queue_capacity_flows", (), sink.capacity
    yield "verdicts_unlogged", (), sink.dropped
    yield "attacks_unalerted", (), sink.unalerted
    for (source, label), flows in sink.verdicts.items():
        yield "predictions", (source, _result(label), label), flows
    yield "thread_restarts", ("sink",), sink.restarts
    yield "thread_running", ("sink",), float(sink.running)


def _archive_samples(archive: FlowArchiveStatus) -> Iterable[Sample]:
    yield "archive_flows_written", (), archive.written
    for reason, flows in archive.dropped.items():
        yield "archive_flows_dropped", (reason,), flows
    yield "archive_files_deleted", (), archive.deleted
    yield "archive_queue_flows", (), archive.queued
    yield "archive_queue_capacity_flows", (), archive.capacity
    yield "archive_files", (), archive.contents.files
    yield "archive_bytes", (), archive.contents.bytes
    yield "thread_restarts", ("archive",), archive.restarts
    yield "thread_running", ("archive",), float(archive.running)


def _scoring_samples(counters: WorkerCounters) -> Iterable[Sample]:
    yield "flows_handed_over", (), counters.handed_over
    yield "flows_scored", (), counters.captured
    yield "scoring_queue_flows", (), counters.waiting
    yield "scoring_queue_capacity_flows", (), counters.capacity
    yield "flows_shed", ("queue full",), counters.shed
    yield "flows_shed", ("scoring failed",), counters.failed
    for reason, flows in counters.refused.items():
        yield "flows_shed", (f"model refused {reason}",), flows
    yield "requested_flows_scored", (), counters.requested


def _shadow_samples(shadow: ShadowStatus) -> Iterable[Sample]:
    yield "challenger_flows", (), shadow.flows
    for reason, flows in shadow.skipped.items():
        yield "challenger_flows_skipped", (reason,), flows
    for labels, flows in shadow.disagreements.items():
        yield "challenger_disagreements", labels, flows


def _capture_samples(status: InterfaceStatus) -> Iterable[Sample]:
    interface, counters = (status.interface,), status.counters
    yield "packets", interface, counters.packets
    yield "packets_metered", interface, counters.metered
    yield "packets_late", interface, counters.late
    for reason, packets in counters.ignored.items():
        yield "packets_ignored", (*interface, reason), packets
    yield "frames", interface, status.frames.frames
    yield "frames_above_mtu", interface, status.frames.above_mtu
    yield "frames_merged", interface, status.frames.merged
    yield "frames_oversized", interface, status.frames.oversized
    yield "segments", interface, status.frames.segments
    yield "kernel_drops", interface, status.kernel_drops
    yield "ring_freezes", interface, status.ring_freezes
    yield "flows_opened", interface, counters.flows_opened
    yield "flows_dropped", interface, counters.flows_dropped
    for reason, flows in counters.emitted.items():
        yield "flows_emitted", (*interface, reason), flows
    yield "flows_emitted_early", interface, counters.emitted_early
    yield "flows_live", interface, counters.flows_live
    yield "flow_table_bytes", interface, status.table_bytes
    yield "ring_bytes", interface, status.ring_bytes
    if status.evidence:
        yield "evidence_packets", interface, status.evidence.packets
        yield "evidence_bytes", interface, status.evidence.bytes
    yield "capture_running", interface, float(status.running)
    yield "capture_silent_seconds", interface, status.silent_seconds
    thread = (f"capture-{status.interface}",)
    yield "thread_restarts", thread, status.restarts
    yield "thread_running", thread, float(status.running)


def _result(label: str) -> str:
    return label if label in (BENIGN, INSUFFICIENT) else "attack"
