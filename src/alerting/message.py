"""A message: what leaves this machine of an alert, an event or a benign flow, whatever the transport."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import orjson

from alerting.alert import AlertRevision
from alerting.eve import eve_record
from alerting.flow_row import Cell, flow_row, seen_where
from flows.labels import BY_CODE

Kind = Literal["alert", "event", "benign"]
ATTACK: Final = "attack"


@dataclass(frozen=True, slots=True)
class Message:
    """One message; sent more than once, it carries the same `message_id` each time.

    Attributes:
        message_id: letters, digits and hyphens, at most 80; the same however often the message is sent.
        kind: what it is of.
        alert_id: of an alert's revision, None otherwise.
        revision: of an alert, 1 first; 0 otherwise.
        made_us: when it was made, UTC microseconds.
        eve: the object as alerts.json has it.
        columns, values: of a flow, its row as `flow_row` makes it; nothing without a flow.
        attributes: short texts, by which a queue's subscribers choose; at most ten.
    """

    message_id: str
    kind: Kind
    alert_id: str | None
    revision: int
    made_us: int
    eve: dict[str, Any]
    columns: tuple[str, ...] = ()
    values: tuple[Cell, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the message as JSON, which `decode` reads back as it was."""
        return orjson.dumps(self)

    @classmethod
    def decode(cls, encoded: bytes) -> Message:
        """Return the message that `encode` wrote.

        Raises:
            ValueError: this is none.
        """
        try:
            found = orjson.loads(encoded)
            return cls(**found | {"columns": tuple(found["columns"]), "values": tuple(found["values"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"not a message: {error}") from None


def alert_message(alert: AlertRevision) -> Message:
    """Return the message of an alert's revision: its flow's row, with what says which alert it is of."""
    flow = alert.flow
    row = {
        **flow_row(flow, prediction=1.0),
        "alert_id": alert.alert_id,
        "revision": alert.revision,
        "count": alert.count,
        **seen_where(flow),
    }
    return Message(
        message_id=f"{alert.alert_id}-{alert.revision}",
        kind="alert",
        alert_id=alert.alert_id,
        revision=alert.revision,
        made_us=alert.made_us,
        eve=eve_record(alert),
        columns=tuple(row),
        values=tuple(row.values()),
        attributes={
            "prediction": ATTACK,
            "kind": "alert",
            "label": BY_CODE[flow.code].name,
            "severity": str(alert.severity),
            "sensor": flow.shared.sensor,
            "state": "closed" if alert.closing else "open",
            "alert_id": alert.alert_id,
            "revision": str(alert.revision),
        },
    )
