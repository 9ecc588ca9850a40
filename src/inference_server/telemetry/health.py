"""Is it well? What /health and /ready answer, from the service's state."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, get_args

from alerting.book.status import BookStatus
from alerting.event import EventsStatus
from alerting.outbox.status import OutboxStatus
from capture.dialects import feature_names
from capture.status import InterfaceStatus
from detection.drift import DRIFTING_SHARE, ENOUGH_FLOWS, SHIFTED_PSI, DriftStatus
from detection.remote.champion import RemoteStatus
from detection.shadow import ShadowStatus
from flows.dialects import PYTHON
from inference_server.alerts import AlertsStatus
from inference_server.central.status import CentralStatus
from inference_server.kdd99 import KddStatus
from inference_server.live_capture import CaptureStatus
from inference_server.novelty import NoveltyStatus
from inference_server.sensors.status import SILENT_SECONDS, SensorsStatus, State
from inference_server.telemetry.status import ServiceStatus, log_files
from inference_server.web.errors import NOT_YET
from inference_server.web.http_traffic import HttpStatus

NAMED: Final = 5
"""Sensors that a reason names."""


def degraded_reasons(status: ServiceStatus, silence_seconds: float) -> list[str]:
    """Return why the service does less than it should; nothing when all is well."""
    reasons = [*missing_for_ready(status), *_remote_reasons(status), *status.model.problems]
    reasons += [
        f"capture on {interface.interface}: no packet for {interface.silent_seconds:.0f} s"
        for interface in status.capture.interfaces
        if interface.running and interface.silent_seconds > silence_seconds
    ]
    reasons += [
        _oversized(interface) for interface in status.capture.interfaces if interface.frames.oversized
    ]
    reasons += _unfit_for_capture(status)
    reasons += _kdd_reasons(status.kdd) + _novelty_reasons(status.novelty)
    reasons += _sensor_reasons(status.sensors) + _central_reasons(status.central)
    archive = status.archive
    threads = {
        "scoring": status.scoring_running,
        "sink": status.sink.running,
        "archive": archive.running or not archive.enabled,
        "evidence": status.alerts.evidence is None or status.alerts.evidence.running,
        "outbox": status.alerts.outbox.running,
        "alert-book": status.alerts.book.running,
        "alert-feed": status.alerts.book.live.running,
        "housekeeping": status.housekeeping_running,
        "events": status.events.running,
        "uploads": status.uploads.running,
        "access-log": status.http.log_running,
        **{f"benign-{stream.transport}": stream.running for stream in status.benign},
    }
    reasons += [f"the {name} thread is dead" for name, running in threads.items() if not running]
    rules = status.alerts.stream.rules
    if rules and rules.error:
        reasons.append(f"suppression rules: {rules.error}; {rules.rules} earlier rules are in use")
    evidence = status.alerts.evidence
    if evidence and evidence.error:
        reasons.append(f"evidence: {evidence.failed} files not written: {evidence.error}")
    reasons += _outbox_reasons(status.alerts.outbox) + _book_reasons(status.alerts.book)
    reasons += [f"{each.name}: old files stay: {each.error}" for each in status.stores if each.error]
    files = log_files(status)
    reasons += [f"{file.name}: {file.lost} lines lost: {file.error}" for file in files if file.error]
    if archive.error:
        reasons.append(f"flow archive: {sum(archive.dropped.values())} flows lost: {archive.error}")
    return reasons


def _remote_reasons(status: ServiceStatus) -> list[str]:
    if status.remote is None or status.remote.problem is None:
        return []
    scorer = status.scorer
    instead = f"{scorer.model_name} version {scorer.model_version} answers" if scorer else "no model answers"
    return [f"{status.remote.problem}; {instead} instead"]


def _kdd_reasons(kdd: KddStatus | None) -> list[str]:
    if kdd is None:
        return []
    reasons = [f"KDD99 clients get no answer: {kdd.error}"] if kdd.error else []
    return [*reasons, *(f"KDD99 model: {problem}" for problem in kdd.problems)]


def _novelty_reasons(novelty: NoveltyStatus | None) -> list[str]:
    if novelty is None:
        return []
    reasons = [f"no detector of novelty: {novelty.error}"] if novelty.error else []
    return [*reasons, *(f"detector of novelty: {problem}" for problem in novelty.problems)]


def _sensor_reasons(sensors: SensorsStatus) -> list[str]:
    reasons = [f"batches of sensors are not taken: {sensors.error}"] if sensors.error else []
    if silent := sensors.named("silent"):
        reasons.append(f"no word for {SILENT_SECONDS:.0f} s of {_listed(silent)}")
    if doubled := [each.sensor for each in sensors.sensors if each.streams > 1]:
        reasons.append(
            f"several spools send in the name of {_listed(doubled)}: give every sensor a SENSOR_ID of its "
            "own; where one lost its STATE_DIR, this is said until the next start"
        )
    return reasons


def _listed(sensors: list[str]) -> str:
    more = f" and {len(sensors) - NAMED} more" if len(sensors) > NAMED else ""
    return f"sensor {', '.join(sensors[:NAMED])}{more}"


def _undelivered(central: CentralStatus) -> str:
    return f"{central.pending + central.waiting} flows wait to be scored at {central.url}: {central.error}"


def _central_reasons(central: CentralStatus | None) -> list[str]:
    if central is None:
        return []
    threads = {"central-spool": central.spool_running, "central-sender": central.sender_running}
    reasons = [f"the {name} thread is dead" for name, running in threads.items() if not running]
    if central.spool_error:
        reasons.append(f"captured flows wait in memory, {central.waiting} of them: {central.spool_error}")
    if lost := sum(central.lost.values()) + sum(central.dropped.values()):
        reasons.append(f"{lost} captured flows were lost before {central.url} took them: see `central`")
    return reasons + [f"spool: {note}" for note in central.notes]


def _book_reasons(book: BookStatus) -> list[str]:
    reasons = [f"alert book: {book.waiting} messages wait in memory: {book.error}"] if book.error else []
    if lost := sum(book.lost.values()):
        reasons.append(f"alert book: {lost} messages are not in it, they are in alerts.json and the outbox")
    return reasons + [f"alert book: {note}" for note in book.notes]


def _outbox_reasons(outbox: OutboxStatus) -> list[str]:
    reasons = [f"outbox: {outbox.waiting} messages wait in memory: {outbox.error}"] if outbox.error else []
    if lost := sum(outbox.lost.values()):
        reasons.append(f"outbox: {lost} messages were not committed, they are in alerts.json only")
    reasons += [f"outbox: {note}" for note in outbox.notes]
    for each in outbox.transports:
        if each.error:
            reasons.append(f"{each.name}: {each.pending} messages pending: {each.error}")
        if each.configured and not each.running:
            reasons.append(f"the publisher-{each.name} thread is dead")
        if each.dead > each.discarded:
            dead = each.dead - each.discarded
            reasons.append(
                f"{each.name}: {dead} messages are dead: see ml-ids outbox list --state dead, and retry"
            )
        if each.pending and not each.configured:
            reasons.append(
                f"{each.name}: {each.pending} messages pending, but it is not configured any more: configure "
                "it, or leave them to OUTBOX_DEAD_AFTER_HOURS"
            )
    return reasons


def _unfit_for_capture(status: ServiceStatus) -> list[str]:
    """Return why the model cannot judge captured flows, before any came."""
    if status.scorer is None or not status.capture.enabled:
        return []
    measured, reads = status.capture.dialect, status.scorer.record.dialect
    unjudged = "captured flows get no verdict; serve another model, or set START_CICFLOWMETER=false"
    reasons = []
    if reads != measured:
        unlike = "the verdicts of captured flows are not what the model's card says; unset CAPTURE_EXTRACTOR"
        outcome = unlike if measured == PYTHON else unjudged
        reasons.append(f"the model reads dialect {reads}, live capture measures {measured}: {outcome}")
    if missing := status.scorer.missing(feature_names(measured)):
        reasons.append(
            f"the model reads features that live capture does not measure: {', '.join(missing)}: {unjudged}"
        )
    return reasons


def drift_reasons(drift: DriftStatus | None) -> list[str]:
    """Return what to say of drifting traffic, nothing while it does not drift."""
    if drift is None or not drift.drifting:
        return []
    names = ", ".join(f"{name} ({value:.2f})" for name, value in drift.shifted.items())
    return [
        f"the last hour's {drift.flows} flows are unlike the model's benign training flows in "
        f"{len(drift.shifted)} of {len(drift.psi)} features (population stability index above "
        f"{SHIFTED_PSI}): {names}; calibrate the threshold, or train a model on this network's traffic"
    ]


def _oversized(interface: InterfaceStatus) -> str:
    remedy = interface.offload_cure or "turn off GRO and LRO of the card, or raise the interface's MTU"
    return (
        f"capture on {interface.interface}: {interface.frames.oversized} frames hold several segments that "
        f"could not be split, which falsifies counts and lengths; to cure it: {remedy}"
    )


def missing_for_ready(status: ServiceStatus) -> list[str]:
    """Return what keeps the service from its job; an empty list means ready."""
    judged = status.scorer or status.central or (status.remote and status.remote.answering)
    missing = [] if judged else [f"{NOT_YET}: {status.model.error}"]
    if status.central and status.central.error:
        missing.append(_undelivered(status.central))
    if status.capture.error:
        missing.append(f"no live capture: {status.capture.error}")
    missing += [
        f"capture on {interface.interface} is down: {interface.error}"
        for interface in status.capture.interfaces
        if not interface.running
    ]
    return missing


def health_body(status: ServiceStatus, silence_seconds: float) -> dict[str, Any]:
    """Return the body of /health."""
    degraded, drift = degraded_reasons(status, silence_seconds), drift_reasons(status.drift)
    scorer = status.scorer
    return {
        "status": "degraded" if degraded else "drift" if drift else "healthy",
        "reasons": degraded + drift,
        "model_initialized": _answering(status) is not None,
        "model": scorer
        and {
            "name": scorer.model_name,
            "version": scorer.model_version,
            "dialect": scorer.record.dialect,
            "schema_id": scorer.record.schema_id,
            "threshold": scorer.threshold,
            "record_threshold": scorer.record.threshold,
            "threshold_source": status.threshold and status.threshold.source,
            "threshold_note": status.threshold and status.threshold.note,
            "features": list(scorer.record.features),
            "source": status.model.source,
            "checked_at": utc_text(status.model.checked_at),
        },
        "remote_model": status.remote and _remote(status.remote),
        "answering": _answering(status),
        "challenger": challenger_body(status),
        "kdd_model": status.kdd and asdict(status.kdd),
        "novelty": status.novelty and asdict(status.novelty),
        "drift": status.drift and _drift(status.drift),
        "capture": _capture(status.capture, silence_seconds),
        "scoring": {"running": status.scoring_running, **asdict(status.scoring)},
        "sink": _sink(status),
        "archive": asdict(status.archive),
        "alerts": _alerts(status.alerts),
        "stores": list(status.stores),
        "benign": list(status.benign),
        "events": _events(status.events),
        "uploads": asdict(status.uploads),
        "http": _http(status.http),
        "streams": asdict(status.streams),
        "sensors": _sensors(status.sensors),
        "central": status.central and asdict(status.central),
        "resident_bytes": status.resident_bytes,
    }


def _answering(status: ServiceStatus) -> dict[str, str] | None:
    """Return which model judges flows: the remote one while it answers, else the registry's."""
    if status.remote and status.remote.answering:
        return {"name": status.remote.name, "version": status.remote.version}
    if status.scorer is None:
        return None
    return {"name": status.scorer.model_name, "version": status.scorer.model_version}


def _remote(remote: RemoteStatus) -> dict[str, Any]:
    return asdict(remote) | {"answered_at": utc_text(remote.answered_at)}


def challenger_body(status: ServiceStatus) -> dict[str, Any] | None:
    """Return what is known of the challenger, None without one."""
    challenger = status.model.challenger
    if challenger is None:
        return None
    return {
        "name": challenger.model_name,
        "version": challenger.model_version,
        "dialect": challenger.record.dialect,
        "compared": status.shadow and _comparison(status.shadow),
    }


def _drift(drift: DriftStatus) -> dict[str, Any]:
    return {
        "drifting": drift.drifting,
        "flows": drift.flows,
        "flows_needed": ENOUGH_FLOWS,
        "share": drift.share,
        "limit": DRIFTING_SHARE,
        "features": drift.shifted,
    }


def _comparison(shadow: ShadowStatus) -> dict[str, Any]:
    return {
        "champion_version": shadow.champion_version,
        "flows": shadow.flows,
        "disagreements": [
            {"champion": champion, "challenger": challenger, "flows": flows}
            for (champion, challenger), flows in sorted(shadow.disagreements.items())
        ],
        "waiting": shadow.waiting,
        "skipped": shadow.skipped,
        "error": shadow.error,
    }


def utc_text(seconds: float | None) -> str | None:
    """Return Unix time as text."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _capture(capture: CaptureStatus, silence_seconds: float) -> dict[str, Any]:
    return {
        "enabled": capture.enabled,
        "error": capture.error,
        "silence_limit_seconds": silence_seconds,
        "interfaces": list(capture.interfaces),
    }


def _sensors(sensors: SensorsStatus) -> dict[str, Any]:
    states = {state: len(sensors.named(state)) for state in get_args(State)}
    about = {"refused": sensors.refused, "skipped": sensors.skipped, "error": sensors.error}
    return {"known": len(sensors.sensors), "states": states, **about}


def _http(http: HttpStatus) -> dict[str, Any]:
    answered = [{"status": code, "answers": answers} for code, answers in sorted(http.answered.items())]
    return {"running": http.running, "limit": http.limit, "sockets": http.sockets, "answered": answered}


def _sink(status: ServiceStatus) -> dict[str, Any]:
    sink = status.sink
    return {
        "running": sink.running,
        "restarts": sink.restarts,
        "queued": sink.queued,
        "capacity": sink.capacity,
        "dropped": sink.dropped,
        "verdicts": [
            {"source": source, "label": label, "flows": flows}
            for (source, label), flows in sorted(sink.verdicts.items())
        ],
        "unalerted": sink.unalerted,
        "files": log_files(status),
    }


def _events(events: EventsStatus) -> dict[str, Any]:
    told = [
        {"event": event, "state": state, "messages": messages}
        for (event, state), messages in sorted(events.told.items())
    ]
    return {"running": events.running, "active": events.active, "told": told}


def _alerts(alerts: AlertsStatus) -> dict[str, Any]:
    return {
        **asdict(alerts.stream.policy),
        "explained": alerts.stream.explained,
        "failed": alerts.stream.failed,
        "rules": alerts.stream.rules,
        "evidence": alerts.evidence,
        "outbox": alerts.outbox,
        "book": alerts.book,
    }
