"""The state of the whole service: what /health, /metrics and the minute line are views of."""

from __future__ import annotations

from dataclasses import dataclass

from alerting.benign_stream import BenignStatus
from alerting.event import EventsStatus
from alerting.flow_archive import FlowArchiveStatus
from alerting.housekeeping import StoreStatus
from alerting.line_file import LineFileStatus
from alerting.sink import SinkStatus
from detection.drift import DriftStatus
from detection.remote.champion import RemoteStatus
from detection.scorer import Scorer
from detection.shadow import ShadowStatus
from detection.watcher import ModelStatus
from detection.worker_counters import WorkerCounters
from inference_server.alerts import AlertsStatus
from inference_server.central.status import CentralStatus
from inference_server.kdd99 import KddStatus
from inference_server.live_capture import CaptureStatus
from inference_server.novelty import NoveltyStatus
from inference_server.operating_threshold import ThresholdInForce
from inference_server.sensors.status import SensorsStatus
from inference_server.streams.status import StreamsStatus
from inference_server.uploads.status import UploadsStatus
from inference_server.web.http_traffic import HttpStatus


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """One look at every part.

    Attributes:
        scorer: the model that serves, None before there is one.
        model: what the registry says of it, and of its challenger.
        capture: live capture.
        scoring: the scoring thread's counters.
        scoring_running: that thread is alive.
        shadow: how the challenger compares with the model that serves, None without one.
        drift: how captured flows differ from those the model was trained on, None before it is known.
        archive: the thread that archives captured flows.
        sink: the thread that writes logs and feeds the alerts.
        alerts: what became of attack verdicts.
        threshold: the operating threshold, None before there is a model.
        benign: the streams of benign flows, one a queue.
        events: what was told of the sensor itself.
        http: the HTTP port.
        access_log: LOG_DIR/access.log.
        application_log: LOG_DIR/application.log.
        resident_bytes: resident set of the process.
        stores: what is on disk.
        housekeeping_running: the thread that looks at it is alive.
        uploads: captures that were sent, and their analyses.
        streams: captures that are sent without end.
        kdd: the model of KDD_MODEL_NAME, None when that is not set.
        novelty: the detector of NOVELTY_MODEL_NAME, None when that is not set.
        remote: the remote model, None when the settings name none.
        sensors: that send their flows here.
        central: the way of captured flows to REMOTE_SCORING_URL, None when that is not set.
    """

    scorer: Scorer | None
    model: ModelStatus
    capture: CaptureStatus
    scoring: WorkerCounters
    scoring_running: bool
    shadow: ShadowStatus | None
    drift: DriftStatus | None
    sink: SinkStatus
    archive: FlowArchiveStatus
    alerts: AlertsStatus
    threshold: ThresholdInForce | None
    benign: tuple[BenignStatus, ...]
    events: EventsStatus
    http: HttpStatus
    access_log: LineFileStatus
    application_log: LineFileStatus
    resident_bytes: int
    stores: tuple[StoreStatus, ...]
    housekeeping_running: bool
    uploads: UploadsStatus
    streams: StreamsStatus
    kdd: KddStatus | None
    novelty: NoveltyStatus | None
    remote: RemoteStatus | None
    sensors: SensorsStatus
    central: CentralStatus | None


def log_files(status: ServiceStatus) -> tuple[LineFileStatus, ...]:
    """Return the state of every file in LOG_DIR."""
    return *status.sink.files, status.alerts.log, status.access_log, status.application_log
