from __future__ import annotations

import re

from alerting import summary
from alerting.event import event_message
from alerting.message import Message
from alerting.transports.envelope import body
from alerting.transports.syslog import syslog_line


def _message() -> Message:
    return event_message(
        "event-1",
        "capture_silent",
        "raised",
        "capture on eth0: no packet for 300 s",
        sensor="sensor-1",
        made_us=1_767_355_200_000_000,
    )


def test_an_event_is_a_kind_of_its_own() -> None:
    message = _message()
    assert Message.decode(message.encode()) == message
    assert re.fullmatch(r"[A-Za-z0-9-]{1,80}", message.message_id)
    assert "prediction" not in message.attributes
    assert (message.kind, message.attributes["kind"], message.attributes["state"]) == (
        "event",
        "event",
        "raised",
    )


def test_every_transport_has_words_for_it() -> None:
    message = _message()
    assert '"event":"capture_silent"' in body(message)
    assert summary.title(message) == "sensor-1: capture on eth0: no packet for 300 s"
    assert dict(summary.details(message))["event"] == "capture_silent, raised"
    line = syslog_line(message)
    assert line.startswith(b"<172>1 2026-01-02T12:00:00.000000Z sensor-1 ml-ids - event [ml_ids@32473 ")
    assert b' state="raised" event="capture_silent"] ' in line
