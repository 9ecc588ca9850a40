"""Amazon SNS: every message is published to one topic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alerting.message import Message
from alerting.transports import aws, envelope


class SnsTransport:
    """Publishes to a topic; see `Transport`."""

    name = "sns"
    batch = aws.BATCH

    def __init__(self, topic_arn: str, access: aws.AwsAccess) -> None:
        """Take the topic's ARN and how SNS is reached.

        Raises:
            ValueError: no region is known.
        """
        self._topic = topic_arn
        self._client: Any = access.client("sns")

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        """Publish messages, ten a call."""
        return aws.send_batches(messages, _entry, self._topic, self._publish)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _publish(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.publish_batch(
            TopicArn=self._topic, PublishBatchRequestEntries=entries
        )
        return answer


def _entry(message: Message) -> tuple[dict[str, Any], int]:
    text = envelope.body(message)
    fields = {"Message": text, "MessageAttributes": envelope.attributes(message)}
    return fields, len(text) + envelope.attributes_size(message)
