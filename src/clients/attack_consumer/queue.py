"""The queue that attacks arrive on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

Received = dict[str, Any]
"""A message as SQS gives it."""

LONGEST_WAIT_SECONDS: Final = 20
"""What SQS lets one request wait."""


@dataclass(frozen=True, slots=True)
class AttackQueue:
    """An SQS queue; every method raises what boto3 raises.

    Attributes:
        client: boto3's, of SQS.
        url: of the queue.
        messages: most messages a request, 1 to 10.
        wait_seconds: how long to wait for the first message.
        visibility_seconds: how long others do not see what was received.
    """

    client: Any
    url: str
    messages: int
    wait_seconds: int
    visibility_seconds: int

    def receive(self) -> list[Received]:
        """Return the next messages, none when none came in time."""
        deadline = time.monotonic() + self.wait_seconds
        wait = self.wait_seconds
        while True:
            answer = self.client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=self.messages,
                WaitTimeSeconds=min(wait, LONGEST_WAIT_SECONDS),
                VisibilityTimeout=self.visibility_seconds,
                MessageAttributeNames=["All"],
            )
            found: list[Received] = answer.get("Messages", [])
            wait = round(deadline - time.monotonic())
            if found or wait <= 0:
                return found

    def delete(self, received: Sequence[Received]) -> list[str]:
        """Delete messages; return what could not be deleted, as `[id]: why`."""
        if not received:
            return []
        entries = [
            {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
            for number, message in enumerate(received)
        ]
        answer = self.client.delete_message_batch(QueueUrl=self.url, Entries=entries)
        return [
            f"[{received[int(failed['Id'])]['MessageId']}]: {failed.get('Message', failed['Code'])}"
            for failed in answer.get("Failed", [])
        ]

    def move(self, message: Received, url: str) -> None:
        """Send a message as it is to another queue, then delete it here."""
        attributes = {
            name: {
                key: value for key, value in each.items() if key in ("DataType", "StringValue", "BinaryValue")
            }
            for name, each in message.get("MessageAttributes", {}).items()
        }
        self.client.send_message(QueueUrl=url, MessageBody=message["Body"], MessageAttributes=attributes)
        self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
