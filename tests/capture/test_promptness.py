"""On a wire that goes quiet, flows come soon after their time."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from capture.interfaces import may_capture
from capture.meter import FlowMeter
from capture.rules import LiveRules
from capture.sidecar import Sidecar
from flows.table import FlowTable
from helpers.packets import START_US, connection, feed, udp

IDLE_SECONDS = 1.0


def test_the_meters_clock_leaves_nothing_behind_for_long() -> None:
    meter = FlowMeter(live_rules=LiveRules(idle_seconds=IDLE_SECONDS, linger_seconds=0.5))
    packets = [udp(n * 1000, src=("10.0.0.9", 1000 + n)) for n in range(2000)]
    packets += connection(2_000_000)
    feed(meter, packets)
    for _ in meter.expire(START_US + 3_250_000):
        pass
    assert meter.counters().flows_live == 0


@pytest.mark.skipif(not may_capture(), reason="needs root or CAP_NET_RAW to capture on loopback")
def test_a_flow_is_handed_over_within_a_second_of_its_time() -> None:
    arrived = threading.Event()
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(("127.0.0.1", 0))
    port = receiver.getsockname()[1]

    def hand_over(table: FlowTable) -> int:
        if port in table.dst_port:
            arrived.set()
        return 0

    sidecar = Sidecar(
        ["lo"], hand_over, sensor="t", rules=LiveRules(idle_seconds=IDLE_SECONDS, linger_seconds=0.5)
    )
    sidecar.start()
    try:
        deadline = time.monotonic() + 120
        while not sidecar.status()[0].running and time.monotonic() < deadline:
            time.sleep(0.05)
        latencies = []
        for _ in range(3):
            arrived.clear()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"once", ("127.0.0.1", port))
            sent = time.monotonic()
            assert arrived.wait(30)
            latencies.append(time.monotonic() - sent - IDLE_SECONDS)
    finally:
        sidecar.stop(10)
        receiver.close()
    # The best of three: a busy machine may hold a thread up for as long as it likes.
    assert min(latencies) < 1.0
