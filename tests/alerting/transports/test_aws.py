from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.message import Message
from alerting.transports.aws import CALL_BYTES, CALL_ENTRIES, AwsAccess, send_batches
from alerting.transports.transport import Rejected
from helpers.messages import alert_messages

MESSAGES = alert_messages(25)


class _Service:
    """A service that answers as it is told to, and keeps what it is asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[list[dict[str, Any]]] = []

    def __call__(self, entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(entries)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer or {"Successful": [{"Id": entry["Id"]} for entry in entries]}


def _send(
    service: Any, messages: list[Message], sizes: list[int] | None = None, target: str = "queue.fifo"
) -> list[str | None]:
    of = dict(zip(map(id, messages), sizes or [100] * len(messages), strict=True))
    return send_batches(messages, lambda message: ({"Message": "m"}, of[id(message)]), target, service)


def test_ten_a_call() -> None:
    service = _Service()
    assert _send(service, MESSAGES) == [None] * 25
    assert [len(call) for call in service.calls] == [10, 10, 5]
    assert len({entry["Id"] for call in service.calls for entry in call}) == 25


@given(st.lists(st.integers(1, CALL_BYTES + 1000), max_size=25))
def test_no_call_is_above_the_limits_and_every_message_is_in_one(sizes: list[int]) -> None:
    service = _Service()
    errors = _send(service, MESSAGES[: len(sizes)], sizes)
    assert [error is None for error in errors] == [size <= CALL_BYTES for size in sizes]
    assert all(isinstance(error, Rejected) for error in errors if error is not None)
    sent = [[int(entry["Id"]) for entry in call] for call in service.calls]
    assert [at for call in sent for at in call] == [n for n, size in enumerate(sizes) if size <= CALL_BYTES]
    assert all(0 < len(call) <= CALL_ENTRIES for call in sent)
    assert all(sum(sizes[at] for at in call) <= CALL_BYTES for call in sent)


def test_entries_fail_each_for_itself() -> None:
    failed = [
        {"Id": "1", "Code": "InternalError", "Message": "busy", "SenderFault": False},
        {"Id": "2", "Code": "InvalidParameterValue", "Message": "not so", "SenderFault": True},
        {"Id": "3", "Code": "KMS.Disabled", "Message": "no key", "SenderFault": True},
    ]
    errors = _send(_Service({"Successful": [{"Id": "0"}], "Failed": failed}), MESSAGES[:5])
    assert errors == [
        None,
        "InternalError: busy",
        "InvalidParameterValue: not so",
        "KMS.Disabled: no key",
        "the answer does not name it",
    ]
    assert [isinstance(error, Rejected) for error in errors] == [False, False, True, False, False]


def test_a_call_that_fails_is_the_last() -> None:
    service = _Service(None, OSError("no route"))
    assert _send(service, MESSAGES) == [None] * 10 + ["no route"] * 15
    assert len(service.calls) == 2


def test_calls_of_a_target_without_an_order_overlap() -> None:
    together = threading.Barrier(3)

    def service(entries: list[dict[str, Any]]) -> dict[str, Any]:
        together.wait(30)
        return {"Successful": [{"Id": entry["Id"]} for entry in entries]}

    assert _send(service, MESSAGES, target="queue") == [None] * 25


def test_when_overlapping_calls_fail_nothing_is_taken_for_delivered() -> None:
    service = _Service(OSError("no route"), OSError("no route"), OSError("no route"))
    assert _send(service, MESSAGES, target="queue") == ["no route"] * 25


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    code = (
        "import threading, time\n"
        "from alerting.transports.aws import send_batches\n"
        "from helpers.messages import alert_messages\n"
        "began = threading.Event()\n"
        "hang = lambda _: (began.set(), time.sleep(600))\n"
        "send = lambda: send_batches(alert_messages(25), lambda message: ({}, 1), 'queue', hang)\n"
        "threading.Thread(target=send, daemon=True).start()\n"
        "assert began.wait(60)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, env=environment)


def test_only_fifo_targets_get_groups() -> None:
    service = _Service()
    _send(service, MESSAGES[:1], target="arn:aws:sns:r:1:t")
    _send(service, MESSAGES[:1], target="arn:aws:sns:r:1:t.fifo")
    (plain,), (entry,) = service.calls
    assert "MessageGroupId" not in plain
    message = MESSAGES[0]
    assert entry["MessageGroupId"] == message.alert_id
    assert entry["MessageDeduplicationId"] == message.message_id


def test_without_a_region_there_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(ValueError, match="AWS_REGION is not set"):
        AwsAccess().client("sqs")


def test_a_client_never_tries_twice_and_has_time_outs() -> None:
    client: Any = AwsAccess("eu-west-1", access_key="a", secret_key="b").client("sqs")
    assert client.meta.config.retries["total_max_attempts"] == 1
    assert client.meta.config.connect_timeout <= 10
    assert client.meta.config.read_timeout <= 10
    client.close()
