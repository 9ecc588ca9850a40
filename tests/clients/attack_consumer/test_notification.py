from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.attack_consumer.notification import Notification, PoisonError, read_notification

ROW = {
    "columns": ["timestamp", "idle_min", "prediction"],
    "index": [0],
    "data": [["21/02/2018 10:15:06", None, 1.0]],
}


def message(content: Any, **attributes: Any) -> dict[str, Any]:
    body = {"Type": "Notification", "Message": json.dumps(content)} | attributes
    return {"MessageId": "m-1", "ReceiptHandle": "r", "Body": json.dumps(body)}


def test_a_flow_arrives_as_it_was_sent() -> None:
    notification = read_notification(message(ROW))
    assert notification.message_id == "m-1"
    assert notification.flow == {"timestamp": "21/02/2018 10:15:06", "idle_min": None, "prediction": 1.0}
    assert not notification.is_benign


def test_raw_delivery_is_read_too() -> None:
    raw = {"MessageId": "m-1", "Body": json.dumps(ROW)}
    assert read_notification(raw) == read_notification(message(ROW))


def test_attributes_of_the_queue_and_of_the_topic() -> None:
    topic = {"prediction": {"Type": "String", "Value": "attack"}}
    assert read_notification(message(ROW, MessageAttributes=topic)).attributes == {"prediction": "attack"}
    queue = {"prediction": {"DataType": "String", "StringValue": "attack"}}
    raw = message(ROW) | {"MessageAttributes": queue}
    assert read_notification(raw).attributes == {"prediction": "attack"}


def test_copies_of_a_revision_have_one_key() -> None:
    columns = [*ROW["columns"], "alert_id", "revision"]
    row = {"columns": columns, "data": [["t", None, 1.0, "a-1", 2]]}
    assert read_notification(message(row)).key == "a-1-2"
    assert read_notification(message(ROW)).key == "m-1"


def test_a_benign_flow_is_told_apart() -> None:
    assert Notification("m", ("prediction",), ((0.0,),)).is_benign


def test_an_event_is_no_flow() -> None:
    notification = read_notification(message({"event_type": "ml_ids", "ml_ids": {"event": "capture silent"}}))
    assert notification.event["ml_ids"] == {"event": "capture silent"}
    assert notification.flow == {}
    assert not notification.is_benign


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (None, "the body is no text"),
        ("not json", "the body is not JSON"),
        ("[1]", "the body is no JSON object"),
        ("{}", "it holds neither columns and data nor an event"),
        ('{"Message": 1}', "Message is no text"),
        ('{"Message": "not json"}', "Message is not JSON"),
        ('{"Message": "{\\"columns\\": 1, \\"data\\": []}"}', "columns is no list of names"),
        ('{"columns": ["a"], "data": []}', "data has no rows"),
        ('{"columns": ["a"], "data": [[1, 2]]}', "data has a row that is no list of 1 values"),
        ("[" * 100_000, "the body is not JSON"),
    ],
)
def test_poison_says_why(body: Any, cause: str) -> None:
    with pytest.raises(PoisonError, match=cause):
        read_notification({"MessageId": "m", "Body": body})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Message", "columns", "data", "MessageAttributes", "x"]), inner)
    ),
    max_leaves=8,
)


@given(
    JSON.map(json.dumps) | JSON.map(lambda content: json.dumps({"Message": json.dumps(content)})) | st.text()
)
def test_anything_is_read_or_poison(body: str) -> None:
    with suppress(PoisonError):
        assert read_notification({"MessageId": "m", "Body": body}).message_id == "m"
