"""What queues carry: a flow as one row of pandas' split format, and Amazon SNS's notification around it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from alerting.message import Message

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def body(message: Message) -> str:
    """Return what a topic is told: the flow's row in pandas' split format; the record where there is no flow.

    ASCII only: queues refuse some characters.
    """
    if not message.columns:
        return _ascii(message.eve)
    return _ascii({"columns": message.columns, "index": [0], "data": [message.values]})


def attributes(message: Message) -> dict[str, dict[str, str]]:
    """Return the attributes as SNS takes them."""
    return {name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()}


def notification(message: Message) -> str:
    """Return what a queue gets from a topic that it is subscribed to without raw delivery.

    There is no topic, so that its ARN is empty and nobody has signed.
    """
    made = _EPOCH + timedelta(microseconds=message.made_us)
    return _ascii(
        {
            "Type": "Notification",
            "MessageId": message.message_id,
            "TopicArn": "",
            "Message": body(message),
            "Timestamp": f"{made.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z",
            "MessageAttributes": {
                name: {"Type": "String", "Value": value} for name, value in message.attributes.items()
            },
        }
    )


def attributes_size(message: Message) -> int:
    """Return how many bytes of a topic's limit the attributes take."""
    return sum(len(name) + len("String") + len(value.encode()) for name, value in message.attributes.items())


def _ascii(value: dict[str, Any]) -> str:
    text = orjson.dumps(value).decode()
    return text if text.isascii() else json.dumps(value, separators=(",", ":"))
