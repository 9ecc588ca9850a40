"""What the alert book writes of one message of an alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from alerting.alert import AlertRevision
from alerting.alert_flow import AlertFlow
from alerting.book.tables import CLOSED, OPEN
from alerting.eve import eve_line, eve_record
from flows.labels import BY_CODE


@dataclass(frozen=True, slots=True)
class AlertRows:
    """The rows of an alert, but for its numbers.

    Attributes:
        alert_id: the alert's.
        alert: of `ALERTS`, without `number` and `seq`.
        eve, flow, features: of `DETAILS`.
        destinations: of `DESTINATIONS`, packed addresses.
        feature_set: dialect and names of the features.
    """

    alert_id: str
    alert: dict[str, Any]
    eve: bytes
    flow: bytes
    features: bytes
    destinations: tuple[bytes, ...]
    feature_set: tuple[str, tuple[str, ...]]


def alert_rows(alert: AlertRevision) -> AlertRows:
    """Return the rows of an alert as its latest message says."""
    flow, shared, eve = alert.flow, alert.flow.shared, eve_record(alert)
    destinations = alert.destinations.values
    return AlertRows(
        alert_id=alert.alert_id,
        alert={
            "alert_id": alert.alert_id,
            "opened_us": alert.made_us,
            "changed_us": alert.made_us,
            "state": CLOSED if alert.closing else OPEN,
            "revision": alert.revision,
            "count": alert.count,
            "code": flow.code,
            "severity": alert.severity,
            "p_attack_max": alert.p_attack_max,
            "src_addr": flow.src_addr,
            "src_port": flow.src_port,
            "dst_addr": flow.dst_addr,
            "dst_port": flow.dst_port,
            "proto": eve.get("proto"),
            "sensor": shared.sensor,
            "source": shared.source,
            "model_version": shared.model_version,
            "words": _words(alert, eve),
        },
        eve=eve_line(alert),
        flow=_stored(flow),
        features=flow.features.tobytes(),
        destinations=destinations if len(destinations) > 1 else (),
        feature_set=(shared.dialect, shared.feature_names),
    )


def _words(alert: AlertRevision, eve: dict[str, Any]) -> str:
    label, shared = BY_CODE[alert.flow.code], alert.flow.shared
    known = eve.get
    return (
        f"{label.name} {label.family} {label.technique} {shared.sensor} {shared.source} {shared.interface} "
        f"{known('src_ip', '')} {known('src_port', '')} {known('dest_ip', '')} {known('dest_port', '')} "
        f"{known('proto', '')} {known('community_id', '')} {alert.alert_id}"
    ).lower()


def _stored(flow: AlertFlow) -> bytes:
    return orjson.dumps(
        {
            "flow_uid": flow.flow_uid,
            "revision": flow.revision,
            "src_addr": flow.src_addr.hex(),
            "dst_addr": flow.dst_addr.hex(),
            "src_port": flow.src_port,
            "dst_port": flow.dst_port,
            "protocol": flow.protocol,
            "start_us": flow.start_us,
            "end_us": flow.end_us,
            "end_reason": flow.end_reason,
            "provisional": flow.provisional,
            "sensor": flow.shared.sensor,
            "interface": flow.shared.interface,
        }
    )
