from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from alerting.benign_stream import BenignStatus, BenignStream
from alerting.message import Message
from flows.table import FlowTable
from flows.verdicts import Verdicts
from helpers.flows import flow_table, verdicts_for
from helpers.server import wait_until


class _Queue:
    """A transport that takes what it is told to, and waits while `open` is not set."""

    name = "queue"
    batch = 4

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.errors: list[str | Exception | None] = []
        self.open = threading.Event()
        self.open.set()
        self.asked = threading.Event()
        self.closed = False

    def send(self, messages: Sequence[Message]) -> Sequence[str | None]:
        self.asked.set()
        assert self.open.wait(30)
        problem = self.errors.pop(0) if self.errors else None
        if isinstance(problem, Exception):
            raise problem
        if problem is None:
            self.taken += messages
        return [problem] * len(messages)

    def close(self) -> None:
        self.closed = True


def _flows(codes: Sequence[int]) -> tuple[FlowTable, Verdicts, str]:
    table = flow_table(len(codes))
    return table, verdicts_for(table, list(codes)), "api"


def _settled(stream: BenignStream) -> BenignStatus:
    wait_until(lambda: stream.status().waiting == 0)
    status = stream.status()
    assert status.offered == status.published + sum(status.dropped.values()) + status.waiting
    return status


def test_benign_flows_only_are_published_in_order() -> None:
    queue = _Queue()
    stream = BenignStream(queue)
    stream.start()
    stream.put(*_flows([0, 17, 0, 0, 5]))
    stream.put(*_flows([17]))
    stream.put(*_flows([0] * 9))
    assert _settled(stream).published == 12
    stream.stop(30)
    assert queue.closed
    ports = [dict(zip(message.columns, message.values, strict=True))["src_port"] for message in queue.taken]
    assert ports == [40000, 40002, 40003, *range(40000, 40009)]
    for message in queue.taken:
        row = dict(zip(message.columns, message.values, strict=True))
        assert row["prediction"] == 0.0
        assert message.attributes == {"prediction": "benign", "kind": "benign", "sensor": row["sensor"]}
        assert len(message.columns) == len(set(message.columns))


def test_insufficient_flows_are_not_called_benign() -> None:
    queue = _Queue()
    stream = BenignStream(queue)
    table, verdicts, source = _flows([0, 0])
    verdicts.insufficient[:] = np.array([True, False])
    stream.put(table, verdicts, source)
    assert stream.status().offered == 1


def test_a_queue_that_hangs_costs_flows_not_time() -> None:
    queue = _Queue()
    queue.open.clear()
    stream = BenignStream(queue, max_flows=10)
    stream.start()
    for _ in range(5):
        stream.put(*_flows([0] * 4))
    assert stream.status().dropped == {"queue full": 10}
    assert stream.status().waiting == 10
    queue.open.set()
    assert _settled(stream).published == 10
    stream.stop(30)


def test_what_is_not_taken_is_counted_and_not_sent_again() -> None:
    queue = _Queue()
    queue.errors = ["no room", OSError("gone"), None]
    stream = BenignStream(queue, back_off=(0.01, 0.02))
    stream.start()
    stream.put(*_flows([0] * 8))
    wait_until(lambda: stream.status().dropped == {"not taken": 8})
    assert stream.status().error == "gone"
    stream.put(*_flows([0] * 3))
    status = _settled(stream)
    assert (status.published, status.error) == (3, None)
    stream.stop(30)


def test_the_stop_does_not_wait_for_what_waits() -> None:
    queue = _Queue()
    queue.open.clear()
    stream = BenignStream(queue)
    stream.start()
    stream.put(*_flows([0] * 10))
    assert queue.asked.wait(30)
    stream.put(*_flows([0] * 100))
    stopper = threading.Thread(target=stream.stop, args=(30,))
    stopper.start()
    wait_until(lambda: stream.status().dropped.get("stopped") == 100)
    queue.open.set()
    stopper.join(30)
    status = _settled(stream)
    assert (status.running, status.published, status.dropped) == (False, 4, {"stopped": 106})
    stream.put(*_flows([0]))
    assert stream.status().dropped == {"stopped": 107}
