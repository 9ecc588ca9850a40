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
from detection.novelty import NoveltyCounts
from detection.remote.champion import RemoteStatus
from detection.shadow import ShadowStatus
from detection.worker_counters import WorkerCounters
from flows.verdicts import BENIGN, INSUFFICIENT
from inference_server.central.samples import central_samples
from inference_server.sensors.samples import sensor_samples
from inference_server.telemetry.alert_metrics import Sample, alert_samples
from inference_server.telemetry.metric_counters import COUNTERS
from inference_server.telemetry.metric_gauges import GAUGES
from inference_server.telemetry.status import ServiceStatus, log_files
from inference_server.uploads.samples import upload_samples
from inference_server.web.http_traffic import HttpStatus

PREFIX: Final = "mlids_"
LATENCY_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
LATENCY: Final = (
    "prediction_latency_seconds",
    "Time from a request's body to its verdicts.",
    "Its upper quantiles grow: large requests, many, or a busy machine; see mlids_http_requests_running.",
)
MODEL: Final = (
    "model",
    "The model that serves.",
    "Another version: a promotion or a rollback; expect other verdicts.",
)
CHALLENGER: Final = (
    "challenger",
    "The model of the alias challenger.",
    "Another version: a candidate to compare; see mlids_challenger_disagreements_total.",
)


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
        for (name, text, _), scorer in ((MODEL, status.scorer), (CHALLENGER, status.model.challenger)):
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
        for name, (text, _, labels) in COUNTERS.items()
    }
    gauges = {
        name: GaugeMetricFamily(PREFIX + name, text, labels=labels)
        for name, (text, _, labels) in GAUGES.items()
    }
    return counters | gauges


def _samples(status: ServiceStatus) -> Iterable[Sample]:
    for interface in status.capture.interfaces:
        yield from _capture_samples(interface)
    yield from _scoring_samples(status.scoring)
    if status.shadow:
        yield from _shadow_samples(status.shadow)
    if status.novelty:
        yield from _novelty_samples(status.novelty.counts)
    if status.remote:
        yield from _remote_samples(status.remote)
    yield from _model_samples(status)
    yield from _sink_samples(status.sink)
    yield from sensor_samples(status.sensors)
    if status.central:
        yield from central_samples(status.central)
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
    yield from upload_samples(status.uploads, status.streams)
    yield from _http_samples(status.http)
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


def _http_samples(http: HttpStatus) -> Iterable[Sample]:
    for code, answers in http.answered.items():
        yield "http_requests", (str(code),), answers
    yield "http_requests_running", (), http.running
    yield "http_requests_limit", (), http.limit
    yield "websockets_open", (), http.sockets
    yield "thread_running", ("access-log",), float(http.log_running)


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


def _novelty_samples(counts: NoveltyCounts) -> Iterable[Sample]:
    yield "novelty_flows", ("novel",), counts.novel
    yield "novelty_flows", ("known",), counts.looked_at - counts.novel
    for reason, flows in counts.skipped.items():
        yield "novelty_flows_skipped", (reason,), flows


def _remote_samples(remote: RemoteStatus) -> Iterable[Sample]:
    yield "remote_model_answering", (), float(remote.answering)
    for outcome, calls in remote.calls.items():
        yield "remote_model_requests", (outcome,), calls
    yield "remote_model_retries", (), remote.retries
    yield "remote_model_flows", (), remote.flows
    yield "remote_model_flows_passed_over", (), remote.passed_over


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
    yield "flows_waiting_for_context", interface, status.flows_waiting
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
