"""Amazon's queues in ministack, a process of its own that checks keys; and how a consumer reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session

from helpers.server import wait_until
from helpers.tools import free_port, installed_tool, server_process

MINISTACK = "ministack==1.5.33"
REGION = "eu-west-1"
ACCOUNT = "000000000000"
KEY = ("AKIAQUEUES1234567890", "queues-secret-key-of-the-tests")


@dataclass(frozen=True)
class Queues:
    """A running SNS and SQS."""

    url: str

    @cache  # noqa: B019 - a few in a session
    def client(self, service: str) -> Any:
        """A client as an administrator has it."""
        return Session(*KEY).client(service, region_name=REGION, endpoint_url=self.url)

    def queue(self, name: str, **attributes: str) -> str:
        """Make a queue that anybody may send to; its URL."""
        made = self.client("sqs").create_queue(
            QueueName=name, Attributes={"Policy": json.dumps(_ANYBODY), **attributes}
        )
        return str(made["QueueUrl"])

    def topic(self, name: str) -> str:
        """Make a topic; its ARN."""
        return str(self.client("sns").create_topic(Name=name)["TopicArn"])

    def subscribe(self, topic: str, queue_url: str, filter_policy: dict[str, Any] | None = None) -> None:
        """Send what is published to a queue, without raw delivery."""
        sqs = self.client("sqs")
        found = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
        arn = found["Attributes"]["QueueArn"]
        attributes = {"FilterPolicy": json.dumps(filter_policy)} if filter_policy else {}
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)

    def receive(self, queue_url: str, count: int) -> list[dict[str, Any]]:
        """Wait for `count` messages, take them from the queue; their bodies, read."""
        sqs, bodies = self.client("sqs"), []

        def more() -> bool:
            answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
            for message in answer.get("Messages", ()):
                bodies.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
            return len(bodies) >= count

        wait_until(more)
        return bodies

    def waiting(self, queue_url: str) -> int:
        """How many messages a queue holds."""
        name = "ApproximateNumberOfMessages"
        found = self.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=[name])
        return int(found["Attributes"][name])


@contextmanager
def queue_server(config: pytest.Config, folder: Path, port: int | None = None) -> Iterator[Queues]:
    """Run SNS and SQS, on a free port unless given; skips the test where ministack cannot be had."""
    program = installed_tool(config, MINISTACK, "ministack")
    port = port or free_port()
    environment = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "SERVICES": "s3,sns,sqs,sts,iam",
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": KEY[0],
        "AWS_SECRET_ACCESS_KEY": KEY[1],
        "MINISTACK_HOST": "127.0.0.1",
        "TMPDIR": str(folder),
    }
    url = f"http://127.0.0.1:{port}"
    with server_process([str(program)], folder / "ministack.txt", url, **environment):
        yield Queues(url)


def row_of(notification: dict[str, Any]) -> dict[str, Any]:
    """The one row of a notification, as the predecessor's consumer reads it."""
    split = json.loads(notification["Message"])
    assert split["index"] == [0]
    (values,) = split["data"]
    return dict(zip(split["columns"], values, strict=True))


_ANYBODY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}],
}
