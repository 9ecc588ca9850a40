"""Alerts in Suricata's EVE shape, as docs/alert.schema.json describes it; what is unknown is left out."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson
from communityid import CommunityID, FlowTuple

from alerting.alert import AlertRevision
from alerting.alert_flow import AlertFlow
from alerting.severity import category
from flows.addresses import address_text
from flows.labels import BY_CODE
from flows.table import UNKNOWN_TIME
from flows.verdict_record import explanation_record

GENERATOR_ID: Final = 1
FIRST_SIGNATURE: Final = 1_900_000
"""Signature ids are this plus the class code, within the range that Suricata leaves to local rules."""

_TCP, _UDP, _SCTP, _ICMP, _ICMPV6 = 6, 17, 132, 1, 58
_PROTOCOLS: Final = {_ICMP: "ICMP", _TCP: "TCP", _UDP: "UDP", _ICMPV6: "IPv6-ICMP", _SCTP: "SCTP"}
_COUNTS: Final = {
    "pkts_toserver": "tot_fwd_pkts",
    "pkts_toclient": "tot_bwd_pkts",
    "bytes_toserver": "totlen_fwd_pkts",
    "bytes_toclient": "totlen_bwd_pkts",
}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_address_text: Final = lru_cache(maxsize=10_000)(address_text)
_hasher: Final = CommunityID()
# It tells seven lines of every hash.
logging.getLogger("communityid").setLevel(logging.WARNING)


def eve_record(alert: AlertRevision) -> dict[str, Any]:
    """Return one message of an alert as a JSON-ready object, made once; it is not to be changed."""
    if not alert.made:
        alert.made.append(_record(alert))
    return alert.made[0]


def eve_line(alert: AlertRevision) -> bytes:
    """Return the same as one line of JSON, made once."""
    if not alert.line:
        alert.line.append(orjson.dumps(eve_record(alert)))
    return alert.line[0]


def _record(alert: AlertRevision) -> dict[str, Any]:
    flow = alert.flow
    record: dict[str, Any] = {
        "timestamp": eve_time(alert.made_us),
        "event_type": "alert",
        "flow_id": flow.flow_uid,
        "in_iface": flow.shared.interface or None,
        **_five_tuple(flow),
        "community_id": community_id(flow),
        "alert": _alert(alert),
        "flow": _known({**_counts(flow), "start": eve_time(flow.start_us)}),
        "ml_ids": _ml_ids(alert),
    }
    return _known(record)


def eve_time(us: int) -> str | None:
    """Return UTC microseconds as EVE writes times; None when unknown or without a year of four digits."""
    if us == UNKNOWN_TIME:
        return None
    try:
        moment = _EPOCH + timedelta(microseconds=us)
    except OverflowError:
        return None
    return f"{moment.isoformat(timespec='microseconds').removesuffix('+00:00')}+0000"


def community_id(flow: AlertFlow) -> str | None:
    """Return the flow's Community ID, None when its five-tuple is not known in full."""
    source, destination = _address_text(flow.src_addr), _address_text(flow.dst_addr)
    if source is None or destination is None or flow.protocol < 0:
        return None
    if flow.protocol in (_ICMP, _ICMPV6):
        ports = _icmp(flow)
    elif flow.protocol in (_TCP, _UDP, _SCTP):
        ports = (flow.src_port, flow.dst_port) if min(flow.src_port, flow.dst_port) >= 0 else None
    else:
        return _hash(FlowTuple(flow.protocol, source, destination))
    return _hash(FlowTuple(flow.protocol, source, destination, *ports)) if ports else None


def _hash(flow: FlowTuple) -> str:
    return str(_hasher.calc(flow))


def _icmp(flow: AlertFlow) -> tuple[int, int] | None:
    kind, code = flow.feature("icmp_type"), flow.feature("icmp_code")
    if kind is None or code is None or not (0 <= kind <= 255 and 0 <= code <= 255):
        return None
    return int(kind), int(code)


def _five_tuple(flow: AlertFlow) -> dict[str, Any]:
    has_ports = flow.protocol not in (_ICMP, _ICMPV6)
    kind, code = (None, None) if has_ports else _icmp(flow) or (None, None)
    return {
        "src_ip": _address_text(flow.src_addr),
        "src_port": flow.src_port if has_ports and flow.src_port >= 0 else None,
        "dest_ip": _address_text(flow.dst_addr),
        "dest_port": flow.dst_port if has_ports and flow.dst_port >= 0 else None,
        "proto": None if flow.protocol < 0 else _PROTOCOLS.get(flow.protocol, f"{flow.protocol:03d}"),
        "icmp_type": kind,
        "icmp_code": code,
    }


def _counts(flow: AlertFlow) -> dict[str, int]:
    values = {name: flow.feature(feature) for name, feature in _COUNTS.items()}
    return {name: int(value) for name, value in values.items() if value is not None and 0 <= value < 2**63}


def _alert(alert: AlertRevision) -> dict[str, Any]:
    label = BY_CODE[alert.flow.code]
    return _known(
        {
            "action": "allowed",
            "gid": GENERATOR_ID,
            "signature_id": FIRST_SIGNATURE + label.code,
            "rev": 1,
            "signature": f"ML-IDS {label.name}",
            "category": category(label.code),
            "severity": alert.severity,
            "metadata": {"mitre_technique_id": [label.technique]} if label.technique else None,
        }
    )


def _ml_ids(alert: AlertRevision) -> dict[str, Any]:
    flow, shared = alert.flow, alert.flow.shared
    return _known(
        {
            "alert_id": alert.alert_id,
            "revision": alert.revision,
            "state": "closed" if alert.closing else "open",
            "closed_because": alert.closing,
            "count": alert.count,
            "first_seen": eve_time(alert.first_us),
            "last_seen": eve_time(alert.last_us),
            "prediction": flow.code,
            "label": BY_CODE[flow.code].name,
            "family": BY_CODE[flow.code].family,
            "p_attack": flow.p_attack,
            "p_attack_max": alert.p_attack_max,
            "threshold": shared.threshold,
            "model": {"name": shared.model_name, "version": shared.model_version},
            "sensor": shared.sensor,
            "source": shared.source,
            "flow_uid": f"{flow.flow_uid:016x}",
            "destinations": [_address_text(address) for address in alert.destinations.values],
            "more_destinations": alert.destinations.more,
            "ports": list(alert.ports.values),
            "more_ports": alert.ports.more,
            "explanation": alert.explanation and explanation_record(alert.explanation),
            "evidence": alert.evidence,
        }
    )


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
