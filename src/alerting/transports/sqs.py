"""Amazon SQS without a topic: the queue gets what a subscribed one would."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerting.message import Message
from alerting.transports import aws, envelope


class SqsTransport:
    """Sends to a queue; see `Transport`."""

    name = "sqs"
    batch = aws.BATCH

    def __init__(self, queue_url: str, access: aws.AwsAccess) -> None:
        """Take the queue's URL and how SQS is reached.

        Raises:
            ValueError: no region is known.
        """
        self._queue = queue_url
        self._client: Any = access.client("sqs")

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        """Send messages in SNS's envelope, ten a call."""
        return aws.send_batches(messages, _entry, self._queue, self._send)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _send(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.send_message_batch(QueueUrl=self._queue, Entries=entries)
        return answer


def _entry(message: Message) -> tuple[dict[str, Any], int]:
    text = envelope.notification(message)
    return {"MessageBody": text}, len(text)
