"""The counters of GET /metrics: what each means, what to do when it moves, and its labels."""

from __future__ import annotations

from typing import Final

from inference_server.telemetry.sensor_metrics import SENSOR_COUNTERS

COUNTERS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "packets": (
        "Packets seen; those metered, late and ignored add up to it.",
        "Falls to 0: nothing arrives; see mlids_capture_silent_seconds.",
        ("interface",),
    ),
    "packets_metered": (
        "Packets that a flow took.",
        "Its share of mlids_packets_total falls: look at late and ignored ones, by reason.",
        ("interface",),
    ),
    "packets_late": (
        "Packets of flows that had already been emitted.",
        "More than a few in a thousand: flows end too soon; raise CLOSE_LINGER or CAPTURE_IDLE_SECONDS.",
        ("interface",),
    ),
    "packets_ignored": (
        "Packets that no flow took.",
        "One reason grows: `arp` and the like are expected; `truncated` or `malformed` point at the "
        "mirror port.",
        ("interface", "reason"),
    ),
    "frames": (
        "Frames read; less those merged and with the segments, the packets.",
        "As mlids_packets_total.",
        ("interface",),
    ),
    "frames_above_mtu": (
        "Frames longer than the interface's MTU allows.",
        "Grows: the card merges segments; turn off GRO and LRO as /health says.",
        ("interface",),
    ),
    "frames_merged": (
        "Frames of several segments that were split.",
        "Grows: harmless while mlids_frames_oversized_total stays; turn off GRO and LRO to save the work.",
        ("interface",),
    ),
    "frames_oversized": (
        "Frames merged or above the MTU that could not be split.",
        "Grows: counts and lengths of flows are wrong; do what /health says of the interface.",
        ("interface",),
    ),
    "segments": (
        "What merged frames were split into.",
        "As mlids_frames_merged_total.",
        ("interface",),
    ),
    "kernel_drops": (
        "Packets the kernel dropped because the ring was full.",
        "Grows: traffic is unseen; narrow CAPTURE_FILTER, give the service a core, or split the "
        "interface's traffic.",
        ("interface",),
    ),
    "ring_freezes": (
        "How often the ring was full.",
        "Grows: the machine was busy elsewhere; act as for mlids_kernel_drops_total when that grows too.",
        ("interface",),
    ),
    "flows_opened": (
        "Flows begun; those emitted, dropped and live add up to it.",
        "Jumps: a scan or a flood; the alerts say which. Falls to 0 while packets arrive: look at "
        "packets ignored.",
        ("interface",),
    ),
    "flows_dropped": (
        "Flows of one packet that the dialect does not emit.",
        "Jumps: single packets of many keys, as a scan or backscatter makes.",
        ("interface",),
    ),
    "flows_emitted": (
        "Flows emitted, by what ended them.",
        "`evicted` grows: the flow table is full; raise CAPTURE_MAX_FLOWS.",
        ("interface", "reason"),
    ),
    "flows_emitted_early": (
        "Provisional copies of flows that went on.",
        "Moves with long flows (CAPTURE_EARLY_SECONDS) and unanswered ones (CAPTURE_UNANSWERED_SECONDS).",
        ("interface",),
    ),
    "flows_handed_over": (
        "Flows captures handed over; those scored, shed and queued add up to it.",
        "As mlids_flows_emitted_total.",
        (),
    ),
    "flows_scored": (
        "Flows of captures that were scored.",
        "Stays while flows are handed over: scoring hangs or is down; see mlids_thread_running, then "
        "application.log.",
        (),
    ),
    "flows_shed": (
        "Flows of captures that were not scored.",
        "Grows: flows go unjudged. `queue full`: too much traffic for the machine; else the model does "
        "not fit, see /health.",
        ("reason",),
    ),
    "requested_flows_scored": (
        "Flows of requests that were scored.",
        "Jumps: a client sends more; name it by access.log, bound it by REQUESTS_PER_MINUTE.",
        (),
    ),
    "challenger_flows": (
        "Flows a challenger was compared on since it, or the champion, changed.",
        "Stays: no challenger is served, or no time is left for it; see the skipped ones.",
        (),
    ),
    "challenger_flows_skipped": (
        "Flows it was not compared on.",
        "Grows: the machine has no time for the challenger; compare it with ml-ids evaluate instead.",
        ("reason",),
    ),
    "challenger_disagreements": (
        "Flows with two different labels.",
        "Grows: look at flows of these two labels before promoting.",
        ("champion", "challenger"),
    ),
    "remote_model_requests": (
        "Requests to the remote model: answered, refused (these flows) or failed; probes are among them.",
        "Failed ones grow: it is away or too slow, see /health; refused ones: it reads other features.",
        ("outcome",),
    ),
    "remote_model_retries": (
        "Requests to it that were sent once more.",
        "Grows: the network or the model stumbles; raise its capacity before it fails.",
        (),
    ),
    "remote_model_flows": (
        "Flows that the remote model judged.",
        "Stays while flows come: the registry's model answers; see mlids_remote_model_answering.",
        (),
    ),
    "remote_model_flows_passed_over": (
        "Flows that it should have judged and did not: the registry's model did, if there is one.",
        "Grows: as failed mlids_remote_model_requests_total.",
        (),
    ),
    "novelty_flows": (
        "Captured flows, called benign, that the detector of novelty judged: novel or known.",
        "Novel ones jump: something is new on this network; see the alerts of Novelty.",
        ("result",),
    ),
    "novelty_flows_skipped": (
        "Flows it did not judge.",
        "Grows: `busy`: the machine has no time for it; else the detector does not fit, see /health.",
        ("reason",),
    ),
    "predictions": (
        "Verdicts, by who asked (sidecar, demo, api).",
        "Attacks jump: see the alerts. One label jumps without cause: see drift, and ml-ids calibrate.",
        ("source", "result", "label"),
    ),
    "verdicts_unlogged": (
        "Verdicts that reached no log: the queue was full, or the sink failed.",
        "Grows: the disk is too slow or full; see application.log.",
        (),
    ),
    "attacks_unalerted": (
        "Attacks that no alert heard of: the queue was full, or the sink failed.",
        "Grows: attacks went unnoticed; as mlids_verdicts_unlogged_total, and look at the time in flows"
        " archived.",
        (),
    ),
    "attacks_aggregated": (
        "Attacks that alerts count.",
        "Jumps: see the open alerts.",
        (),
    ),
    "attacks_suppressed": (
        "Attacks that no alert counts: of a rule, beyond a budget, or counted provisionally.",
        "A rule takes more than expected: narrow it in ALERT_RULES. Those counted provisionally are no loss.",
        ("reason",),
    ),
    "alerts": (
        "Alerts opened, and closed.",
        "Jumps: an attack, or a model that no longer fits; see the alerts, drift, and ml-ids calibrate.",
        ("state",),
    ),
    "alerts_closed": (
        "Alerts closed, by reason.",
        "`capacity` grows: more alerts at once than are kept; raise the threshold or suppress what is known.",
        ("reason",),
    ),
    "alert_messages": (
        "Revisions of alerts, first and last ones included.",
        "As mlids_alerts_total.",
        (),
    ),
    "alert_messages_failed": (
        "Revisions that a consumer did not take, a defect.",
        "Grows: a defect; report what application.log says of the consumer.",
        ("consumer",),
    ),
    "alert_explanations": (
        "Explanations for alerts, by outcome.",
        "`failed` grows: alerts come without a reason; see application.log.",
        ("outcome",),
    ),
    "outbox_messages": (
        "Messages that came to the outbox; those committed, lost and waiting add up to it.",
        "As mlids_alerts_total.",
        (),
    ),
    "outbox_committed": (
        "Messages committed to disk.",
        "Stays while messages come: the disk of STATE_DIR is full or read-only.",
        (),
    ),
    "outbox_lost": (
        "Messages that were not committed.",
        "Grows: those alerts are in alerts.json alone; make room on STATE_DIR's disk.",
        ("reason",),
    ),
    "outbox_deleted": (
        "Messages deleted from the outbox, delivered or the oldest.",
        "Grows faster than messages are delivered: raise OUTBOX_MAX_MB, or mend the transport.",
        (),
    ),
    "book_messages": (
        "Messages that came to the alert book; those committed, lost and waiting add up to it.",
        "As mlids_alerts_total.",
        (),
    ),
    "book_committed": (
        "Messages that are in the alert book.",
        "Stays while messages come: the disk of STATE_DIR is full or read-only.",
        (),
    ),
    "book_lost": (
        "Messages that are not: the disk is too slow, or cannot be written.",
        "Grows: those alerts are in alerts.json alone; make room on the disk of STATE_DIR.",
        ("reason",),
    ),
    "book_deleted": (
        "Alerts and labels deleted because of KEEP_DAYS or ALERTS_MAX_MB.",
        "Grows fast: raise ALERTS_MAX_MB to keep alerts as long as KEEP_DAYS.",
        (),
    ),
    "live_subscriptions": (
        "Subscriptions to live alerts.",
        "Grows fast: clients connect again and again; see the dropped ones.",
        (),
    ),
    "live_refused": (
        "Subscriptions refused because there were too many.",
        "Grows: close what nobody looks at; see mlids_live_subscribers.",
        (),
    ),
    "live_dropped": (
        "Subscribers dropped because they were too slow.",
        "Grows: a client does not read; it may connect again and go on where it was.",
        (),
    ),
    "live_messages": (
        "Messages handed to subscribers, one each.",
        "As mlids_alerts_total, times the subscribers.",
        (),
    ),
    "live_alerts_skipped": (
        "Alerts that messages to subscribers left out because they were too many.",
        "Grows: more alerts than people can follow; suppress what is known in ALERT_RULES.",
        (),
    ),
    "live_failures": (
        "Looks at the alert book for subscribers that failed.",
        "Grows: live views stand still; see application.log.",
        (),
    ),
    "transport_messages": (
        "Messages committed for a transport; delivered, pending and dead ones add up to it.",
        "As mlids_alerts_total.",
        ("transport",),
    ),
    "transport_delivered": (
        "Messages it delivered.",
        "Stays while messages are pending: the place cannot be reached; /health says why.",
        ("transport",),
    ),
    "transport_failures": (
        "Attempts that failed, one a message.",
        "Grows: see /health for the error; messages are tried again by themselves.",
        ("transport",),
    ),
    "benign_flows_offered": (
        "Benign flows that were to be published; those published, dropped and waiting add up to it.",
        "As mlids_flows_scored_total.",
        ("transport",),
    ),
    "benign_flows_published": (
        "Benign flows that a queue took.",
        "Stays while flows are offered: the queue cannot be reached; see those dropped, by reason.",
        ("transport",),
    ),
    "benign_flows_dropped": (
        "Benign flows that were not published.",
        "Grows: the queue is slower than the traffic; nothing else suffers. Unset PUBLISH_BENIGN if "
        "that is no use.",
        ("transport", "reason"),
    ),
    "operational_events": (
        "Events of the sensor itself that were told.",
        "A `raised` one: do what its message and /health say.",
        ("event", "state"),
    ),
    "evidence_files_written": (
        "Captures of alerts' first packets written.",
        "Stays while alerts open: see mlids_evidence_files_missing_total.",
        (),
    ),
    "evidence_files_missing": (
        "Alerts of captured flows without one.",
        "`no packets kept`: raise EVIDENCE_MB. `failed`: make room in LOG_DIR.",
        ("reason",),
    ),
    "evidence_files_deleted": (
        "Those deleted to keep EVIDENCE_DISK_MB.",
        "Grows fast: raise EVIDENCE_DISK_MB to keep evidence longer.",
        (),
    ),
    "log_lines_written": (
        "Lines written to a log file.",
        "One file grows much faster than before: see what fills it.",
        ("file",),
    ),
    "log_files_deleted": (
        "Rotated files deleted to keep LOG_MAX_MB.",
        "Grows: logs do not reach back KEEP_DAYS; raise LOG_MAX_MB or ship them elsewhere.",
        ("file",),
    ),
    "store_files_expired": (
        "Files deleted because of KEEP_DAYS.",
        "Nothing: KEEP_DAYS at work.",
        ("store",),
    ),
    "log_lines_lost": (
        "Lines that could not be written.",
        "Grows: make LOG_DIR writable, with room on its disk.",
        ("file",),
    ),
    "archive_flows_written": (
        "Captured flows that were archived.",
        "Stays while flows are scored: see those dropped.",
        (),
    ),
    "archive_flows_dropped": (
        "Captured flows that were not.",
        "Grows: the disk of STATE_DIR is slow or full; the archive has a gap.",
        ("reason",),
    ),
    "archive_files_deleted": (
        "Files of the archive deleted to keep FLOW_ARCHIVE_GB.",
        "Grows fast: raise FLOW_ARCHIVE_GB to keep more traffic for calibrating and training.",
        (),
    ),
    "uploads": (
        "Captures that were sent, by what became of them.",
        "`failed` grows: ask for their error at GET /api/captures.",
        ("state",),
    ),
    "upload_flows": (
        "Flows of them that were judged.",
        "As mlids_uploads_total.",
        ("result",),
    ),
    "streams": ("Captures that were streamed.", "No need to act.", ()),
    "stream_packets": (
        "Packets of them.",
        "Stands still although one is open: its sender is quiet, or its reader does not read.",
        (),
    ),
    "stream_flows": ("Flows of them that were judged.", "As mlids_stream_packets_total.", ("result",)),
    "model_load_failures": (
        "Checks of the registry, and versions of the model, that failed.",
        "Grows: the registry cannot be reached, or a version is broken; /health says which. The last "
        "good one serves.",
        (),
    ),
    "thread_restarts": (
        "How often a thread was started again after a failure.",
        "Grows: a defect or a full disk; see application.log at the time.",
        ("thread",),
    ),
    "http_requests": (
        "Requests and WebSockets that ended, by status; 499: the caller left.",
        "5xx: see application.log for the request id of access.log. 401 or 403 jump: somebody tries "
        "keys. 429: see REQUESTS_PER_MINUTE.",
        ("status",),
    ),
    **SENSOR_COUNTERS,
}
