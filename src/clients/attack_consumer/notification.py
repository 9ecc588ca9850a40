"""A queue's message, read: a flow as one row below its columns, or an event of the sensor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_ROW_KEYS: Final = {"columns", "data"}
_EVENT_KEY: Final = "event_type"


class PoisonError(ValueError):
    """A message that can never be read; says why."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What a message tells.

    Attributes:
        message_id: the queue's.
        columns, rows: the flow, one row in all that the sensor sends; nothing of an event.
        event: the event's record, nothing of a flow.
        attributes: by which subscribers choose, such as `prediction`.
    """

    message_id: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    event: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)

    @property
    def flow(self) -> dict[str, Any]:
        """The first row, by column."""
        return dict(zip(self.columns, self.rows[0], strict=True)) if self.rows else {}

    @property
    def is_benign(self) -> bool:
        """Whether the flow was called benign, which only queues without a filter are told."""
        return self.flow.get("prediction") == 0

    @property
    def key(self) -> str:
        """The same for every copy of what was sent: a sensor sends at least once."""
        flow = self.flow
        alert, revision = flow.get("alert_id"), flow.get("revision")
        return self.message_id if alert is None else f"{alert}-{revision}"


def read_notification(message: Mapping[str, Any]) -> Notification:
    """Read a message as SQS gives it, from an SNS topic with or without raw delivery.

    Raises:
        PoisonError: it is not what the sensor sends.
    """
    body = _object(message.get("Body"), "the body")
    content = _object(body["Message"], "Message") if "Message" in body else body
    attributes = _attributes(message) | _attributes(body)
    message_id = str(message.get("MessageId", ""))
    if content.keys() >= _ROW_KEYS:
        columns, rows = _rows(content)
        return Notification(message_id, columns, rows, attributes=attributes)
    if _EVENT_KEY in content:
        return Notification(message_id, event=content, attributes=attributes)
    raise PoisonError("it holds neither columns and data nor an event")


def _object(text: object, name: str) -> dict[str, Any]:
    if not isinstance(text, str):
        raise PoisonError(f"{name} is no text")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PoisonError(f"{name} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise PoisonError(f"{name} is no JSON object")
    return found


def _rows(content: dict[str, Any]) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    columns, data = content["columns"], content["data"]
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise PoisonError("columns is no list of names")
    if not isinstance(data, list) or not data:
        raise PoisonError("data has no rows")
    for row in data:
        if not isinstance(row, list) or len(row) != len(columns):
            raise PoisonError(f"data has a row that is no list of {len(columns)} values")
    return tuple(columns), tuple(tuple(row) for row in data)


def _attributes(holder: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes of an SQS message (StringValue) or of an SNS notification (Value)."""
    given = holder.get("MessageAttributes")
    if not isinstance(given, dict):
        return {}
    values = {
        name: each.get("StringValue", each.get("Value"))
        for name, each in given.items()
        if isinstance(each, dict)
    }
    return {name: value for name, value in values.items() if isinstance(value, str)}
