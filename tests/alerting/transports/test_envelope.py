from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from alerting.transports import envelope
from helpers.messages import TIMESTAMP, alert_messages

(MESSAGE,) = alert_messages(1)


def test_a_row_is_pandas_split_format() -> None:
    split = json.loads(envelope.body(MESSAGE))
    assert list(split) == ["columns", "index", "data"]
    assert split["index"] == [0]
    assert tuple(split["columns"]) == MESSAGE.columns
    assert split["data"] == [list(MESSAGE.values)]
    assert split["data"][0][split["columns"].index("timestamp")] == TIMESTAMP


@given(st.text().filter(lambda text: not any(0xD800 <= ord(letter) < 0xE000 for letter in text)))
def test_any_text_arrives_as_it_was_in_characters_that_queues_take(text: str) -> None:
    message = replace(MESSAGE, columns=("timestamp",), values=(text,))
    sent = envelope.notification(message)
    assert all(" " <= letter <= "\x7f" for letter in sent)
    assert json.loads(json.loads(sent)["Message"])["data"] == [[text]]


def test_a_topics_envelope() -> None:
    found = json.loads(envelope.notification(replace(MESSAGE, made_us=1_767_355_200_123_456)))
    assert found["Type"] == "Notification"
    assert found["MessageId"] == MESSAGE.message_id
    assert found["Timestamp"] == "2026-01-02T12:00:00.123Z"
    assert found["Message"] == envelope.body(MESSAGE)
    assert found["MessageAttributes"]["prediction"] == {"Type": "String", "Value": "attack"}


def test_attributes_as_a_topic_takes_them() -> None:
    attributes = envelope.attributes(MESSAGE)
    assert attributes["prediction"] == {"DataType": "String", "StringValue": "attack"}
    assert 0 < len(attributes) <= 10
    counted = sum(len(name) + len("String") + len(each["StringValue"]) for name, each in attributes.items())
    assert envelope.attributes_size(MESSAGE) == counted
