from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alerting.transports.webhook import WebhookTransport
from helpers.alerts import VALIDATOR
from helpers.messages import alert_messages
from helpers.receivers import HttpReceiver, http_receiver


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with http_receiver() as running:
        yield running


def test_each_message_is_posted_as_alerts_json_has_it(receiver: HttpReceiver) -> None:
    transport = WebhookTransport(receiver.url)
    sent = alert_messages(3)
    assert list(transport.send(sent)) == [None] * 3
    transport.close()
    bodies = [json.loads(posted.body) for posted in receiver.posted]
    assert bodies == [json.loads(json.dumps(message.eve)) for message in sent]
    for posted, message in zip(receiver.posted, sent, strict=True):
        VALIDATOR.validate(json.loads(posted.body))
        assert posted.path == "/hook"
        assert posted.headers["Content-Type"] == "application/json"
        assert posted.headers["X-ML-IDS-Message-Id"] == message.message_id
        assert "X-ML-IDS-Signature" not in posted.headers


def test_a_secret_signs_as_the_documentation_checks(receiver: HttpReceiver) -> None:
    transport = WebhookTransport(receiver.url, secret="hush")
    transport.send(alert_messages(1))
    transport.close()
    (posted,) = receiver.posted
    documented = (Path(__file__).parents[3] / "docs" / "alerts.md").read_text()
    namespace: dict[str, Any] = {}
    exec(documented.partition("```python\n")[2].partition("```")[0], namespace)
    is_genuine = namespace["is_genuine"]
    assert is_genuine(b"hush", posted.headers, posted.body)
    assert not is_genuine(b"other", posted.headers, posted.body)
    assert not is_genuine(b"hush", posted.headers, posted.body + b" ")
    later = posted.headers | {"X-ML-IDS-Timestamp": str(int(posted.headers["X-ML-IDS-Timestamp"]) + 1)}
    assert not is_genuine(b"hush", later, posted.body)


def test_slack_gets_a_text_for_people(receiver: HttpReceiver) -> None:
    transport = WebhookTransport(receiver.url, body="slack")
    transport.send(alert_messages(1, sensor="<!channel> & co"))
    transport.close()
    posted = json.loads(receiver.posted[0].body)
    assert list(posted) == ["text"]
    first, *others = posted["text"].splitlines()
    assert first.startswith("*[low] Portscan from 10.0.0.1 to ")
    assert "sensor: &lt;!channel&gt; &amp; co" in others


@pytest.mark.parametrize(("status", "final"), [(500, False), (403, False), (302, False), (413, True)])
def test_what_the_server_does_not_take_is_an_error(receiver: HttpReceiver, status: int, final: bool) -> None:
    receiver.status, receiver.answer = status, b"not\ntoday"
    transport = WebhookTransport(receiver.url)
    errors = transport.send(alert_messages(2))
    transport.close()
    assert list(errors) == [f"HTTP {status}: not today"] * 2
    assert {type(error).__name__ for error in errors} == {"Rejected" if final else "str"}
    assert len(receiver.posted) == 2


def test_one_time_out_is_waited_for_not_one_a_message(receiver: HttpReceiver) -> None:
    receiver.opened.clear()
    transport = WebhookTransport(receiver.url, timeout=0.2)
    errors = transport.send(alert_messages(20))
    transport.close()
    assert list(errors) == ["no answer: ReadTimeout"] * 20


def test_what_was_taken_before_the_server_went_away_is_delivered(receiver: HttpReceiver) -> None:
    transport = WebhookTransport("http://127.0.0.1:9/secret-token")
    errors = transport.send(alert_messages(2))
    transport.close()
    assert list(errors) == ["no answer: ConnectError"] * 2


def test_an_endless_answer_ends(receiver: HttpReceiver) -> None:
    receiver.answer = b"x" * 10_000_000
    transport = WebhookTransport(receiver.url)
    assert list(transport.send(alert_messages(2))) == [None, None]
    transport.close()


def test_the_url_which_may_be_a_secret_is_not_logged(
    receiver: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    transport = WebhookTransport(receiver.url)
    with caplog.at_level(logging.INFO):
        transport.send(alert_messages(1))
    transport.close()
    assert receiver.url not in caplog.text
