from __future__ import annotations

import json

import pytest

from alerting.transports.aws import AwsAccess
from alerting.transports.sns import SnsTransport
from helpers.messages import TIMESTAMP, alert_messages, large_message
from helpers.queues import KEY, REGION, Queues, row_of


@pytest.fixture
def access(queues: Queues) -> AwsAccess:
    return AwsAccess(REGION, queues.url, *KEY)


def test_a_subscribed_queue_gets_each_alerts_row(queues: Queues, access: AwsAccess) -> None:
    topic, queue = queues.topic("rows"), queues.queue("rows")
    queues.subscribe(topic, queue)
    sent = alert_messages(23)
    transport = SnsTransport(topic, access)
    assert list(transport.send(sent)) == [None] * 23
    transport.close()
    received = queues.receive(queue, 23)
    rows = {row_of(each)["alert_id"]: row_of(each) for each in received}
    for message in sent:
        row = rows[message.alert_id]
        assert tuple(row) == message.columns
        assert tuple(row.values()) == message.values
        assert (row["prediction"], row["timestamp"]) == (1.0, TIMESTAMP)
    assert {each["MessageAttributes"]["prediction"]["Value"] for each in received} == {"attack"}
    assert all(len(each["MessageAttributes"]) <= 10 for each in received)


def test_a_filter_policy_chooses_by_prediction(queues: Queues, access: AwsAccess) -> None:
    topic, queue = queues.topic("filtered"), queues.queue("filtered")
    queues.subscribe(topic, queue, {"prediction": ["attack"], "label": ["Portscan"]})
    transport = SnsTransport(topic, access)
    (scan,) = alert_messages(1)
    (other,) = alert_messages(1)
    other.attributes["label"] = "Worms"
    (benign,) = alert_messages(1)
    benign.attributes["prediction"] = "benign"
    assert list(transport.send([other, benign, scan])) == [None] * 3
    (received,) = queues.receive(queue, 1)
    assert row_of(received)["alert_id"] == scan.alert_id
    assert queues.waiting(queue) == 0


def test_one_that_is_too_large_costs_the_others_nothing(queues: Queues, access: AwsAccess) -> None:
    topic, queue = queues.topic("large"), queues.queue("large")
    queues.subscribe(topic, queue)
    sent = [*alert_messages(2), large_message(300_000), large_message(200_000), large_message(200_000)]
    errors = SnsTransport(topic, access).send(sent)
    assert [error is None for error in errors] == [True, True, False, True, True]
    assert "more than the 262144 that are possible" in str(errors[2])
    assert len(queues.receive(queue, 4)) == 4


def test_a_fifo_topic_keeps_the_order_and_knows_duplicates(queues: Queues, access: AwsAccess) -> None:
    made = queues.client("sns").create_topic(Name="order.fifo", Attributes={"FifoTopic": "true"})
    queue = queues.queue("order.fifo", FifoQueue="true")
    queues.subscribe(made["TopicArn"], queue)
    transport = SnsTransport(made["TopicArn"], access)
    sent = alert_messages(3)
    transport.send(sent)
    transport.send(sent)
    received = queues.receive(queue, 3)
    assert [row_of(each)["alert_id"] for each in received] == [message.alert_id for message in sent]
    assert queues.waiting(queue) == 0


@pytest.mark.parametrize(
    ("key", "topic", "words"),
    [
        (("AKIAWRONG00000000000", "wrong"), "known", "security token"),
        (KEY, "nosuch", "NotFound|does not exist"),
    ],
)
def test_what_the_service_refuses_is_said_of_every_message(
    queues: Queues, key: tuple[str, str], topic: str, words: str
) -> None:
    arn = queues.topic("known").replace("known", topic)
    errors = SnsTransport(arn, AwsAccess(REGION, queues.url, *key)).send(alert_messages(12))
    assert len(errors) == 12
    assert len(set(errors)) == 1
    with pytest.raises(AssertionError, match=rf"(?i){words}"):
        raise AssertionError(errors[0])


def test_nobody_answers() -> None:
    access = AwsAccess(REGION, "http://127.0.0.1:9", *KEY)
    errors = SnsTransport(f"arn:aws:sns:{REGION}:123456789012:nobody", access).send(alert_messages(2))
    assert errors[0] == errors[1]
    assert json.dumps(errors).count("Could not connect") == 2
