"""A message in words, for people: what happened, between whom, how often, and what to look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from alerting.message import Message

SEVERITIES: Final = {1: "high", 2: "medium", 3: "low"}
EVENT_SEVERITY: Final = 2
NAMED_FEATURES: Final = 3
_NAMED_HOSTS: Final = 5


def severity(message: Message) -> int:
    """Return 1 high, 2 medium or 3 low."""
    alert = message.eve.get("alert")
    return int(alert["severity"]) if alert else EVENT_SEVERITY


def title(message: Message) -> str:
    """Return one line of printable characters that says what happened."""
    record = message.eve
    about = record.get("ml_ids", {})
    if message.kind == "event":
        return printable(f"{about['sensor']}: {about['text']}")
    flows = f"{about['count']} flow{'' if about['count'] == 1 else 's'}"
    return printable(f"{about['label']} from {_end(record, 'src')} to {_destination(record, about)}, {flows}")


def details(message: Message) -> Iterator[tuple[str, str]]:
    """Yield what is known of it, name and value, each one line of printable characters."""
    for name, value in _details(message):
        if value not in (None, ""):
            yield name, printable(str(value))


def _details(message: Message) -> Iterator[tuple[str, Any]]:
    record = message.eve
    about, alert = record.get("ml_ids", {}), record.get("alert", {})
    if message.kind == "event":
        yield "event", f"{about['event']}, {about['state']}"
        yield "time", record["timestamp"]
        yield "sensor", about["sensor"]
        return
    yield "class", about["label"]
    yield "severity", SEVERITIES[severity(message)]
    yield "source", _end(record, "src")
    yield "destinations", _listed(about["destinations"], about["more_destinations"])
    yield "ports", _listed(about["ports"], about["more_ports"])
    yield "flows", f"{about['count']}, alert {about['state']}, revision {about['revision']}"
    yield "first seen", about.get("first_seen")
    yield "last seen", about.get("last_seen")
    yield "P(attack)", f"{about['p_attack_max']:.3f}, threshold {about['threshold']:.3f}"
    yield "because of", _reasons(about.get("explanation"))
    yield "technique", ", ".join(alert.get("metadata", {}).get("mitre_technique_id", ()))
    yield "community id", record.get("community_id")
    yield "packets", about.get("evidence")
    yield "model", f"{about['model']['name']} version {about['model']['version']}"
    yield "sensor", about["sensor"]
    yield "alert", about["alert_id"]


def printable(text: str) -> str:
    """Return a text as one line: what is not printable becomes a blank."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _end(record: dict[str, Any], side: str) -> str:
    address = record.get(f"{side}_ip")
    return "an unknown address" if address is None else str(address)


def _destination(record: dict[str, Any], about: dict[str, Any]) -> str:
    if len(about["destinations"]) > 1:
        many = "more than " if about["more_destinations"] else ""
        return f"{many}{len(about['destinations'])} addresses"
    if len(about["ports"]) > 1:
        many = "more than " if about["more_ports"] else ""
        return f"{_end(record, 'dest')}, {many}{len(about['ports'])} ports"
    port = record.get("dest_port")
    return _end(record, "dest") + ("" if port is None else f" port {port}")


def _listed(values: list[Any], more: bool) -> str:
    shown = ", ".join(map(str, values[:_NAMED_HOSTS]))
    if more or len(values) > _NAMED_HOSTS:
        return f"{shown} and others"
    return shown


def _reasons(explanation: dict[str, Any] | None) -> str | None:
    if explanation is None:
        return None
    features = explanation["features"][:NAMED_FEATURES]
    return ", ".join(f"{each['feature']} = {each['value']} (median {each['median']})" for each in features)
