from __future__ import annotations

import json
import re

import numpy as np
import pytest

from alerting.message import alert_message
from alerting.policy import AlertPolicy
from alerting.transports.aws import AwsAccess
from alerting.transports.sqs import SqsTransport
from helpers.alerts import HandClock, attacks, taken
from helpers.messages import alert_messages, large_message
from helpers.queues import KEY, REGION, Queues, row_of


@pytest.fixture
def access(queues: Queues) -> AwsAccess:
    return AwsAccess(REGION, queues.url, *KEY)


def test_a_queue_gets_what_a_subscribed_one_would(queues: Queues, access: AwsAccess) -> None:
    queue = queues.queue("direct")
    sent = alert_messages(23)
    transport = SqsTransport(queue, access)
    assert list(transport.send(sent)) == [None] * 23
    transport.close()
    received = {each["MessageId"]: each for each in queues.receive(queue, 23)}
    for message in sent:
        notification = received[message.message_id]
        assert notification["Type"] == "Notification"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", notification["Timestamp"])
        assert tuple(row_of(notification).values()) == message.values
        attributes = {name: each["Value"] for name, each in notification["MessageAttributes"].items()}
        assert attributes == message.attributes


def test_texts_of_any_character_arrive_as_they_were(queues: Queues, access: AwsAccess) -> None:
    queue = queues.queue("characters")
    (message,) = alert_messages(1, sensor="Zürich \ufffe\x00\U0001f6a8")
    message.attributes["sensor"] = "sensor"
    assert SqsTransport(queue, access).send([message])[0] is None
    (notification,) = queues.receive(queue, 1)
    assert row_of(notification)["sensor"] == "Zürich \ufffe\x00\U0001f6a8"


def test_one_that_is_too_large_is_rejected(queues: Queues, access: AwsAccess) -> None:
    queue = queues.queue("sizes")
    errors = SqsTransport(queue, access).send([large_message(262_144), *alert_messages(1)])
    assert type(errors[0]).__name__ == "Rejected"
    assert errors[1] is None
    assert len(queues.receive(queue, 1)) == 1


def test_a_fifo_queue_knows_duplicates(queues: Queues, access: AwsAccess) -> None:
    queue = queues.queue("direct.fifo", FifoQueue="true")
    transport = SqsTransport(queue, access)
    sent = alert_messages(3)
    transport.send(sent)
    transport.send(sent)
    received = queues.receive(queue, 3)
    assert [each["MessageId"] for each in received] == [message.message_id for message in sent]
    assert queues.waiting(queue) == 0


def test_a_queue_that_does_not_exist(queues: Queues, access: AwsAccess) -> None:
    url = queues.queue("there").replace("there", "nowhere")
    errors = SqsTransport(url, access).send(alert_messages(2))
    assert json.dumps(errors).count("NonExistentQueue") == 2


def test_a_revision_of_an_aggregated_alert_shows_its_own_flow(queues: Queues, access: AwsAccess) -> None:
    hand = HandClock()
    policy = AlertPolicy(aggregated={"sidecar"}, clock=hand.clock)
    first = taken(policy, *attacks(["10.0.0.1"], dst_port=np.array([22])))
    taken(policy, *attacks(["10.0.0.1"] * 4, dst_port=np.array([80, 81, 82, 83])))
    hand.pass_(31)
    second = taken(policy, *attacks(["10.0.0.1"], dst_port=np.array([443])))
    queue = queues.queue("revisions")
    transport = SqsTransport(queue, access)
    transport.send([alert_message(alert) for alert in (*first, *second)])
    rows = [row_of(each) for each in queues.receive(queue, 2)]
    told = [(row["revision"], row["count"], row["dst_port"]) for row in rows]
    assert sorted(told) == [(1, 1, 22), (2, 5, 83)]
    assert {(row["alert_id"], row["src_ip"]) for row in rows} == {(first[0].alert_id, "10.0.0.1")}
