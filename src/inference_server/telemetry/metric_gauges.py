"""The gauges of GET /metrics: what each means, what to do when it moves, and its labels."""

from __future__ import annotations

from typing import Final

from inference_server.telemetry.sensor_metrics import SENSOR_GAUGES

GAUGES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "flows_live": (
        "Flows still open.",
        "Near CAPTURE_MAX_FLOWS: raise that, or look for a scan.",
        ("interface",),
    ),
    "flows_waiting_for_context": (
        "Flows that ended and wait until their host context is known, at most until they are 2 s old.",
        "0 unless a model reads context.",
        ("interface",),
    ),
    "flow_table_bytes": (
        "Memory for open flows; what none has used yet is not resident.",
        "Changes with CAPTURE_MAX_FLOWS only.",
        ("interface",),
    ),
    "ring_bytes": (
        "Memory that packets arrive in.",
        "Changes with the number of interfaces only.",
        ("interface",),
    ),
    "evidence_packets": (
        "Recent packets kept in memory.",
        "Falls: packets got larger, or EVIDENCE_MB smaller.",
        ("interface",),
    ),
    "evidence_bytes": (
        "Memory they take.",
        "At EVIDENCE_MB in normal service.",
        ("interface",),
    ),
    "capture_running": (
        "1 when packets of the interface are being read.",
        "0: the interface is down or the permission is gone; /health says which.",
        ("interface",),
    ),
    "capture_silent_seconds": (
        "Seconds since the last packet.",
        "Grows: check cable, mirror port, CIC_INTERFACE and CAPTURE_FILTER.",
        ("interface",),
    ),
    "scoring_queue_flows": (
        "Flows of captures waiting to be scored.",
        "Near its capacity: flows will be shed; see mlids_flows_shed_total.",
        (),
    ),
    "scoring_queue_capacity_flows": (
        "How many may wait before flows are shed.",
        "A constant, to divide by.",
        (),
    ),
    "sink_queue_flows": (
        "Verdicts waiting to be written.",
        "Near its capacity: the disk of LOG_DIR does not keep up.",
        (),
    ),
    "sink_queue_capacity_flows": (
        "How many may wait before verdicts stay unlogged.",
        "A constant, to divide by.",
        (),
    ),
    "archive_queue_flows": (
        "Captured flows waiting to be archived.",
        "Near its capacity: the disk of STATE_DIR does not keep up.",
        (),
    ),
    "archive_queue_capacity_flows": (
        "How many may wait before they are dropped.",
        "A constant, to divide by.",
        (),
    ),
    "archive_files": (
        "Files of archived flows.",
        "Falls without need: somebody else deletes in STATE_DIR/flows.",
        (),
    ),
    "archive_bytes": (
        "What they take on disk.",
        "At FLOW_ARCHIVE_GB: the oldest hours are being deleted.",
        (),
    ),
    "evidence_files": (
        "Captures of alerts' first packets on disk.",
        "At EVIDENCE_DISK_MB the oldest are being deleted.",
        (),
    ),
    "evidence_files_bytes": (
        "What they take there.",
        "As mlids_evidence_files.",
        (),
    ),
    "outbox_waiting": (
        "Messages in memory that wait to be committed.",
        "Grows: the disk of STATE_DIR does not keep up; /health says why.",
        (),
    ),
    "outbox_waiting_bytes": (
        "What they take there.",
        "As mlids_outbox_waiting.",
        (),
    ),
    "outbox_waiting_capacity_bytes": (
        "How much may wait before messages are lost.",
        "A constant, to divide by.",
        (),
    ),
    "outbox_kept": (
        "Messages in the outbox.",
        "Grows: see mlids_transport_pending.",
        (),
    ),
    "outbox_bytes": (
        "What they take on disk.",
        "Near its limit: mend the transport that is behind, or raise OUTBOX_MAX_MB.",
        (),
    ),
    "outbox_limit_bytes": (
        "How much they may take before the oldest are deleted.",
        "OUTBOX_MAX_MB, to divide by.",
        (),
    ),
    "book_waiting": (
        "Messages of alerts in memory that wait to be committed to the alert book.",
        "Grows: the disk of STATE_DIR does not keep up.",
        (),
    ),
    "book_waiting_capacity": (
        "How many may wait before messages are lost.",
        "A constant, to divide by.",
        (),
    ),
    "book_alerts": (
        "Alerts in the alert book.",
        "Falls: the oldest are being deleted; see mlids_book_deleted_total.",
        (),
    ),
    "book_labels": (
        "Labelled flows in it.",
        "Grows as people label: ml-ids train uses them.",
        (),
    ),
    "book_bytes": (
        "What it takes on disk.",
        "Near its limit: the oldest alerts will go; raise ALERTS_MAX_MB.",
        (),
    ),
    "book_limit_bytes": (
        "How much it may take before the oldest alerts are deleted.",
        "ALERTS_MAX_MB, to divide by.",
        (),
    ),
    "live_subscribers": (
        "Subscribers of live alerts, dashboards' own subscription included.",
        "Near its capacity: more will be refused; see access.log for who they are.",
        (),
    ),
    "live_subscribers_capacity": (
        "How many there may be.",
        "A constant, to divide by.",
        (),
    ),
    "transport_pending": (
        "Messages a transport is still to deliver.",
        "Grows: the place is unreachable or slow; /health says why. Nothing is lost until the outbox is"
        " full.",
        ("transport",),
    ),
    "transport_dead": (
        "Messages given up, deleted ones included.",
        "Grows: messages were given up; mend the place, then ml-ids outbox retry.",
        ("transport",),
    ),
    "transport_oldest_seconds": (
        "How long its oldest pending message has been waiting.",
        "Grows: as mlids_transport_pending.",
        ("transport",),
    ),
    "benign_flows_waiting": (
        "Benign flows that wait to be published.",
        "Grows: they will be dropped; see mlids_benign_flows_dropped_total.",
        ("transport",),
    ),
    "store_files": (
        "Files on disk.",
        "As mlids_store_bytes.",
        ("store",),
    ),
    "store_bytes": (
        "What they take.",
        "Above its limit: /health says why old files stay.",
        ("store",),
    ),
    "store_limit_bytes": (
        "What they may take.",
        "Changes with its setting only, to divide by.",
        ("store",),
    ),
    "alerts_open": (
        "Alerts that are open.",
        "Near its capacity: an attack of many sources, or a model that no longer fits.",
        (),
    ),
    "alerts_open_capacity": (
        "How many may be; one more closes the oldest.",
        "A constant, to divide by.",
        (),
    ),
    "alert_rules_current": (
        "1 when the rules file is in use as it is.",
        "0: ALERT_RULES has an error, the earlier rules are in use; /health names the line.",
        (),
    ),
    "operating_threshold": (
        "The operating threshold in force.",
        "Moves when somebody calibrated, set DETECTION_THRESHOLD or promoted a model: expect another "
        "rate of alerts.",
        (),
    ),
    "model_loaded": (
        "1 when a model serves.",
        "0: nothing is judged; /ready says what is missing.",
        (),
    ),
    "remote_model_answering": (
        "1 when the remote model judges flows.",
        "0: the registry's model answers instead, see /health.",
        (),
    ),
    "model_from_cache": (
        "1 when the registry has not confirmed the model that serves.",
        "1 for long: the registry cannot be reached; /health says why.",
        (),
    ),
    "model_checked_timestamp_seconds": (
        "Unix time of the last check of the registry that was well.",
        "Stays: as mlids_model_from_cache.",
        (),
    ),
    "uploads_active": (
        "Captures that are received, wait or are analysed.",
        "Near UPLOADS_WAITING: more are refused until one is done.",
        (),
    ),
    "streams_active": (
        "Captures that are being streamed.",
        "Near STREAMS_AT_ONCE: more are refused until one ends.",
        (),
    ),
    "drift_share": (
        "Share of features whose population stability index is above 0.25.",
        "Above 0.1: the traffic is unlike the training's; ml-ids calibrate, or train with your own traffic.",
        (),
    ),
    "feature_psi": (
        "Population stability index of the last hour's captured flows.",
        "Above 0.25: this feature drifts; whether the network changed or the sensor says mlids_drift_share.",
        ("feature",),
    ),
    "resident_bytes": (
        "Resident set of the process, rings and flow tables included.",
        "Grows for days: a leak; report it with the /health of two days.",
        (),
    ),
    "thread_running": (
        "1 when the thread is alive.",
        "0: that part is dead; restart the service and report what application.log says.",
        ("thread",),
    ),
    "http_requests_running": (
        "Requests being answered.",
        "Near its limit: callers will get 503; see access.log for who asks, and bound it by "
        "REQUESTS_PER_MINUTE.",
        (),
    ),
    "http_requests_limit": (
        "How many may be before others get 503.",
        "MAX_CONCURRENT_REQUESTS, to divide by.",
        (),
    ),
    "websockets_open": (
        "WebSockets that are open.",
        "Grows without end: clients that do not close; see access.log for who.",
        (),
    ),
    **SENSOR_GAUGES,
}
