"""A service's state for tests: well unless told otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alerting.alert_stream import AlertStatus
from alerting.benign_stream import BenignStatus
from alerting.book.status import BookStatus, LiveStatus
from alerting.event import EventsStatus
from alerting.evidence_files import EvidenceFilesStatus
from alerting.flow_archive import FlowArchiveStatus
from alerting.housekeeping import StoreStatus
from alerting.line_file import LineFileStatus
from alerting.outbox.status import OutboxStatus, TransportStatus
from alerting.policy import PolicyCounts
from alerting.rules_file import RulesStatus
from alerting.sink import SinkStatus
from capture.evidence import EvidenceStatus
from capture.status import FrameCounters, InterfaceStatus, MeterCounters
from detection.watcher import ModelStatus
from detection.worker_counters import WorkerCounters
from flows.archive_writer import ArchiveContents
from inference_server.alerts import AlertsStatus
from inference_server.central.status import CentralStatus
from inference_server.live_capture import CaptureStatus
from inference_server.operating_threshold import ThresholdInForce
from inference_server.sensors.messages import SensorReport
from inference_server.sensors.status import SensorHealth, SensorsStatus
from inference_server.streams.status import StreamsStatus
from inference_server.telemetry.status import ServiceStatus
from inference_server.uploads.status import UploadsStatus
from inference_server.web.http_traffic import HttpStatus

COUNTERS = MeterCounters(
    packets=100,
    metered=90,
    late=3,
    ignored={"arp": 7},
    flows_opened=15,
    flows_dropped=3,
    emitted={"fin": 8, "idle": 2},
    flows_live=2,
    emitted_early=4,
)
INTERFACE = InterfaceStatus(
    interface="eth0",
    running=True,
    error=None,
    counters=COUNTERS,
    kernel_drops=5,
    ring_freezes=1,
    silent_seconds=0.5,
    restarts=0,
    flows_shed=0,
    frames=FrameCounters(frames=98, above_mtu=1, merged=1, segments=3, oversized=0),
    splits_merged=True,
    offloads={"gro": True, "lro": False},
    offload_cure="ethtool -K eth0 gro off",
    packet_filter="not port 22",
    left_out=("TCP port 8000 on this interface (PORT)",),
    evidence=EvidenceStatus(packets=50, bytes=5000, limit_bytes=1 << 20, oldest_us=1_767_603_600_000_000),
    table_bytes=40_000,
    ring_bytes=60_000,
)
WORKER = WorkerCounters(
    handed_over=30,
    captured=10,
    shed=4,
    refused={"dialect": 2},
    failed=1,
    waiting=13,
    capacity=64,
    requested=6,
    attacks=2,
    insufficient=1,
    restarts=0,
)
MODEL = ModelStatus(error="the registry is down", checked_at=1_767_603_600.0)
SINK = SinkStatus(
    running=True,
    restarts=0,
    queued=0,
    capacity=100,
    dropped=2,
    unalerted=1,
    verdicts={("sidecar", "benign"): 7, ("sidecar", "Portscan"): 2, ("api", "insufficient"): 1},
    files=(LineFileStatus("positive_predictions.log", 2, 0, None),),
)

ARCHIVE = FlowArchiveStatus(
    enabled=True,
    running=True,
    restarts=0,
    written=7,
    dropped={"queue full": 3},
    queued=1,
    capacity=64,
    contents=ArchiveContents(files=2, bytes=4000, oldest="2026-11-21T14"),
    deleted=5,
    limit_bytes=10_000,
    error=None,
)


EVIDENCE = EvidenceFilesStatus(
    running=True,
    asked=9,
    written=3,
    no_packets=2,
    failed=1,
    skipped={"over budget": 1},
    waiting=2,
    deleted=1,
    files=2,
    bytes=700,
    limit_bytes=1000,
    limit_files=10,
    error=None,
)

OUTBOX = OutboxStatus(
    running=True,
    restarts=0,
    offered=5,
    committed=4,
    waiting=1,
    waiting_bytes=3000,
    capacity_bytes=64_000,
    lost={"memory full": 0},
    messages=3,
    bytes=9000,
    limit_bytes=100_000,
    deleted=1,
    error=None,
    notes=(),
    transports=(
        TransportStatus(
            name="webhook",
            configured=True,
            running=True,
            restarts=0,
            committed=4,
            delivered=2,
            pending=1,
            dead=1,
            discarded=1,
            oldest_seconds=12.0,
            failures=3,
            error=None,
            delivered_at="2026-01-05T09:00:00+00:00",
        ),
    ),
)

BOOK = BookStatus(
    running=True,
    restarts=0,
    offered=9,
    committed=6,
    waiting=1,
    capacity=100,
    lost={"queue full": 0},
    alerts=4,
    labels=1,
    bytes=9000,
    limit_bytes=100_000,
    deleted=3,
    error=None,
    notes=(),
    live=LiveStatus(
        running=True,
        subscribers=2,
        capacity=500,
        subscribed=5,
        refused=1,
        dropped=1,
        batches=20,
        skipped=7,
        failures=0,
    ),
)

BENIGN = BenignStatus(
    transport="sns",
    running=True,
    offered=10,
    published=6,
    dropped={"queue full": 3},
    waiting=1,
    capacity=100,
    error=None,
)

ALERTS = AlertsStatus(
    stream=AlertStatus(
        policy=PolicyCounts(
            taken=9,
            aggregated=5,
            suppressed={"our scanner": 4},
            opened=3,
            closed={"window": 1, "single": 1},
            messages=6,
            open=1,
            capacity=50,
        ),
        explained={"given": 2, "over budget": 1},
        failed={"alerts.json": 1},
        rules=RulesStatus("/etc/ml-ids/rules.yaml", rules=2, loads=1, error=None),
    ),
    log=LineFileStatus("alerts.json", 5, 0, None),
    evidence=EVIDENCE,
    outbox=OUTBOX,
    book=BOOK,
)


SENSOR = SensorHealth(
    sensor="edge-1",
    address="10.0.0.7",
    caller="edge",
    last_seen=1_767_603_600.0,
    silent_seconds=1.0,
    batches=3,
    flows=300,
    attacks=2,
    repeated=1,
    lag_seconds=1.5,
    clock_offset_seconds=0.1,
    streams=1,
    report=SensorReport(
        sensor="edge-1",
        stream="0" * 32,
        version="1.0",
        sent_us=1_767_603_600_000_000,
        interfaces=1,
        interfaces_down=0,
        kernel_drops=4,
        waiting_flows=50,
        spooled_bytes=5000,
        oldest_seconds=0.5,
        dropped={"spool full": 6},
    ),
)
CENTRAL = CentralStatus(
    url="https://central.example",
    spool_running=True,
    sender_running=True,
    restarts=0,
    handed_over=100,
    waiting=5,
    lost={},
    spooled=95,
    delivered=90,
    dropped={},
    pending=5,
    pending_batches=1,
    oldest_seconds=0.5,
    bytes=5000,
    limit_bytes=1_000_000,
    sent_bytes=90_000,
    failures=2,
    back_pressure=1,
    host_context=False,
    error=None,
    spool_error=None,
    delivered_at=None,
    notes=(),
)


def make_status(scorer: Any, **changes: Any) -> ServiceStatus:
    """The state of a service that serves `scorer` and captures eth0."""
    well = ServiceStatus(
        scorer=scorer,
        model=MODEL if scorer is None else replace(MODEL, champion=scorer, source="registry", error=None),
        capture=CaptureStatus(enabled=True, error=None, interfaces=(INTERFACE,)),
        scoring=WORKER,
        scoring_running=True,
        shadow=None,
        drift=None,
        sink=SINK,
        archive=ARCHIVE,
        alerts=ALERTS,
        threshold=scorer and ThresholdInForce(scorer.threshold, "model"),
        benign=(BENIGN,),
        events=EventsStatus(
            True, ("capture on eth0: no packet for 300 s",), {("capture_silent", "raised"): 1}
        ),
        http=HttpStatus(running=3, limit=256, sockets=2, answered={200: 20, 503: 1}, log_running=True),
        access_log=LineFileStatus("access.log", 21, 0, None),
        application_log=LineFileStatus("application.log", 5, 0, None),
        resident_bytes=300_000_000,
        stores=(StoreStatus("alerts.json", files=2, bytes=900, limit_bytes=1000, expired=3, error=None),),
        housekeeping_running=True,
        uploads=UploadsStatus(
            received=3, done=1, failed=1, deleted=0, flows=700, attacks=70, active=1, running=True
        ),
        streams=StreamsStatus(opened=2, packets=5000, flows=60, attacks=6, active=1),
        kdd=None,
        novelty=None,
        remote=None,
        sensors=SensorsStatus(sensors=(SENSOR,), refused={"busy": 2}, skipped=1, error=None),
        central=None,
    )
    return replace(well, **changes)
