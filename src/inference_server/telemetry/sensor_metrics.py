"""The metrics of sensors and of a central service, which `metric_counters` and `metric_gauges` include."""

from __future__ import annotations

from typing import Final

SENSOR_COUNTERS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "central_flows": (
        "Captured flows that REMOTE_SCORING_URL is to score.",
        "No need to act.",
        (),
    ),
    "central_flows_delivered": (
        "Those that it took, over all starts.",
        "Stands still: see mlids_central_failures_total.",
        (),
    ),
    "central_flows_dropped": (
        "Those that it did not and that are gone, by reason: `spool full` and `rejected` over all starts.",
        "`spool full`: mend the way there, or raise REMOTE_SPOOL_MB. `memory full`: the disk of STATE_DIR "
        "does not keep up. `rejected`: see application.log.",
        ("reason",),
    ),
    "central_failures": (
        "Attempts to send flows or a report there that failed.",
        "Grows: /health says why.",
        (),
    ),
    "central_back_pressure": (
        "Of these, those that it told to come back later.",
        "Grows all the time: it does not keep up; see docs/scaling.md.",
        (),
    ),
    "central_sent_bytes": ("Bytes of flows sent there, repeated ones included.", "No need to act.", ()),
    "sensor_flows": (
        "Flows taken of a sensor that sends them here, over all starts.",
        "Stands still: see GET /api/sensors for its state.",
        ("sensor",),
    ),
    "sensor_batches_repeated": (
        "Batches it sent more than once; each was scored once.",
        "Grows all the time: the answers do not reach it in time; see mlids_sensor_lag_seconds.",
        ("sensor",),
    ),
    "sensor_flows_dropped": (
        "Flows it could not keep until they were taken, as it says itself.",
        "Grows: mend the way to it, raise its REMOTE_SPOOL_MB, or see docs/scaling.md.",
        ("sensor",),
    ),
    "sensor_batches_refused": (
        "Batches of sensors that were not taken, by reason; they are sent again, but unreadable ones.",
        "`busy` grows all the time: see docs/scaling.md. `conflict`, `unreadable`: see application.log "
        "of the sensor.",
        ("reason",),
    ),
    "sensor_flows_skipped": (
        "Flows of sensors that the logs had already when this service was killed.",
        "No need to act.",
        (),
    ),
}
SENSOR_GAUGES: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "central_flows_waiting": (
        "Captured flows that REMOTE_SCORING_URL has not taken yet.",
        "Grows: see mlids_central_failures_total and mlids_central_back_pressure_total.",
        (),
    ),
    "central_oldest_seconds": (
        "How long the oldest of them on disk has been waiting.",
        "As mlids_central_flows_waiting.",
        (),
    ),
    "central_spool_bytes": (
        "What they take on disk.",
        "Near its limit: the oldest will be dropped.",
        (),
    ),
    "central_spool_limit_bytes": (
        "REMOTE_SPOOL_MB, in bytes.",
        "A constant, to divide by.",
        (),
    ),
    "sensor_up": (
        "1 while a sensor that sends its flows here was heard of in the last 60 s.",
        "0: the sensor is down, or cannot reach this service.",
        ("sensor",),
    ),
    "sensor_lag_seconds": (
        "Of its last batch, from when its oldest flow ended to its verdicts.",
        "Grows: this service does not keep up, or the sensor sends what had to wait.",
        ("sensor",),
    ),
    "sensor_waiting_flows": (
        "Flows it still has to send, as it says itself.",
        "Grows: as mlids_sensor_lag_seconds.",
        ("sensor",),
    ),
    "sensor_clock_offset_seconds": (
        "How far its clock is ahead of this one's, the way included.",
        "Seconds: set its clock; the times of its flows are by it.",
        ("sensor",),
    ),
}
