"""The loop, over a real queue."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from clients.attack_consumer import consumer as module
from clients.attack_consumer.consumer import Consumer, QueueError, Remembered
from clients.attack_consumer.interruption import Interruption
from clients.attack_consumer.notification import Notification
from clients.attack_consumer.queue import AttackQueue
from helpers.queues import Queues


class Shown(list[Notification]):
    """A display that keeps what it is shown."""

    def show(self, notification: Notification) -> None:
        self.append(notification)


class Impatient(Interruption):
    """Notes how long it was to sleep, and requests the end after some times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.requested = len(self.slept) >= self.times


def body(number: int, **more: Any) -> str:
    row = {"number": number, "prediction": 1.0} | more
    return json.dumps({"Message": json.dumps({"columns": [*row], "data": [[*row.values()]]})})


@pytest.fixture
def url(queues: Queues) -> str:
    return queues.queue(f"attacks-{uuid.uuid4().hex}")


def queue_of(queues: Queues, url: str, *, wait: int = 0, visibility: int = 0) -> AttackQueue:
    return AttackQueue(queues.client("sqs"), url, 10, wait, visibility)


def consumer(queues: Queues, url: str, *, delete: bool = False, poison: str | None = None) -> Consumer:
    return Consumer(queue_of(queues, url), Shown(), delete, poison, Interruption())


def shown(running: Consumer) -> list[int]:
    assert isinstance(running.display, Shown)
    return sorted(each.flow["number"] for each in running.display)


def test_what_was_shown_is_not_shown_again_while_it_is_preserved(queues: Queues, url: str) -> None:
    for number in range(3):
        queues.client("sqs").send_message(QueueUrl=url, MessageBody=body(number))
    running = consumer(queues, url)
    for _ in range(3):
        running.once()
    assert shown(running) == [0, 1, 2]
    assert queues.waiting(url) == 3


def test_what_was_shown_is_deleted_if_that_is_wanted(queues: Queues, url: str) -> None:
    for number in range(3):
        queues.client("sqs").send_message(QueueUrl=url, MessageBody=body(number))
    running = consumer(queues, url, delete=True)
    running.once()
    assert shown(running) == [0, 1, 2]
    assert queues.waiting(url) == 0


def test_a_copy_of_an_alerts_revision_is_deleted_without_being_shown(queues: Queues, url: str) -> None:
    for revision in (1, 1, 2):
        queues.client("sqs").send_message(
            QueueUrl=url, MessageBody=body(revision, alert_id="a", revision=revision)
        )
    running = consumer(queues, url, delete=True)
    running.once()
    assert shown(running) == [1, 2]
    assert queues.waiting(url) == 0


def test_poison_is_reported_once_and_left(queues: Queues, url: str, caplog: pytest.LogCaptureFixture) -> None:
    for text in ("poison", body(1)):
        queues.client("sqs").send_message(QueueUrl=url, MessageBody=text)
    running = consumer(queues, url, delete=True)
    for _ in range(3):
        running.once()
    assert shown(running) == [1]
    assert queues.waiting(url) == 1
    (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "could not be read: the body is not JSON" in warning.getMessage()
    assert "left in the queue" in warning.getMessage()


def test_poison_is_moved_aside_as_it_was(queues: Queues, url: str, caplog: pytest.LogCaptureFixture) -> None:
    aside = queues.queue(f"poison-{uuid.uuid4().hex}")
    attributes = {"prediction": {"DataType": "String", "StringValue": "attack"}}
    queues.client("sqs").send_message(QueueUrl=url, MessageBody="poison", MessageAttributes=attributes)
    consumer(queues, url, poison=aside).once()
    assert queues.waiting(url) == 0
    answer = queues.client("sqs").receive_message(QueueUrl=aside, MessageAttributeNames=["All"])
    (moved,) = answer["Messages"]
    assert moved["Body"] == "poison"
    assert moved["MessageAttributes"]["prediction"]["StringValue"] == "attack"
    assert "moved aside" in caplog.text


def test_poison_that_cannot_be_moved_stops_nothing(
    queues: Queues, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    for text in ("poison", body(1)):
        queues.client("sqs").send_message(QueueUrl=url, MessageBody=text)
    running = consumer(queues, url, delete=True, poison=f"{url}-that-is-not-there")
    running.once()
    assert shown(running) == [1]
    assert queues.waiting(url) == 1
    assert "could not be moved aside" in caplog.text


def test_failures_are_told_and_retried_ever_more_slowly(
    queues: Queues, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module.random, "uniform", lambda low, high: high)
    missing = queue_of(queues, f"{url}-that-is-not-there")
    patience = Impatient(8)
    Consumer(missing, Shown(), False, None, patience).run()
    assert patience.slept == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert "NonExistentQueue" in caplog.text
    assert "trying again in 60.0 s" in caplog.text


def test_messages_that_come_again_at_once_keep_nobody_busy(queues: Queues, url: str) -> None:
    queues.client("sqs").send_message(QueueUrl=url, MessageBody=body(1))
    patience = Impatient(3)
    Consumer(queue_of(queues, url, visibility=0), Shown(), False, None, patience).run()
    assert patience.slept == [module.REST_SECONDS] * 3


def test_a_success_makes_the_next_failure_a_first_one(queues: Queues, url: str) -> None:
    broken = EndpointConnectionError(endpoint_url="http://queue")
    outcomes: list[Exception | None] = [broken, broken, None, broken]

    class Flaky(AttackQueue):
        def receive(self) -> list[dict[str, Any]]:
            if outcome := outcomes.pop(0):
                raise outcome
            return super().receive()

    patience = Impatient(3)
    Consumer(Flaky(queues.client("sqs"), url, 10, 0, 0), Shown(), False, None, patience).run()
    assert [patience.slept[0] <= 1, 1 <= patience.slept[1] <= 2, patience.slept[2] <= 1] == [True] * 3


def test_missing_credentials_end_it(queues: Queues, url: str) -> None:
    class WithoutCredentials(AttackQueue):
        def receive(self) -> list[dict[str, Any]]:
            raise NoCredentialsError

    nobody = WithoutCredentials(None, url, 10, 0, 0)
    with pytest.raises(QueueError, match="Unable to locate credentials"):
        Consumer(nobody, Shown(), False, None, Interruption()).run()


def test_a_message_that_comes_while_waiting_is_seen_at_once(queues: Queues, url: str) -> None:
    later = threading.Timer(0.3, lambda: queues.client("sqs").send_message(QueueUrl=url, MessageBody=body(1)))
    later.start()
    (received,) = queue_of(queues, url, wait=20).receive()
    later.join()
    assert "ReceiptHandle" in received


def test_a_request_never_waits_longer_than_the_queue_allows() -> None:
    waited: list[int] = []

    class Recorder:
        def receive_message(self, **request: Any) -> dict[str, Any]:
            waited.append(request["WaitTimeSeconds"])
            return {"Messages": [{}]} if len(waited) == 3 else {}

    assert AttackQueue(Recorder(), "url", 10, 3600, 60).receive() == [{}]
    assert waited == [20, 20, 20]


def test_the_oldest_is_forgotten() -> None:
    remembered = Remembered(2)
    for key in "abac":
        remembered.add(key)
    assert [key in remembered for key in "abc"] == [True, False, True]
