"""Live capture on a veth pair in a network namespace, beside tcpdump on the same interface."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from capture.files import read_capture
from capture.rules import LiveRules
from capture.sidecar import Sidecar
from flows.parquet_files import read_parquet
from flows.schema import IMPROVED_NAMES
from flows.table import FlowTable, concat_tables
from helpers.namespace import Namespace, network_namespace, require_tools
from helpers.packets import connection, icmp, pcap, udp, write_capture
from helpers.parity import compare, flow_rows

REFERENCE = Path(__file__).parent.parent / "reference"
CAPTURES = [
    "01_tcp_fin", "02_tcp_rst", "03_udp", "05_bulk", "06_noise", "07_vlan_ipv6", "08_out_of_order",
]  # fmt: skip
"""Those that last seconds; the others need minutes of wire time."""

CAPTURE_PROCESS = Path(__file__).parent.parent / "helpers" / "capture_process.py"
TIMELESS = [
    name
    for name in IMPROVED_NAMES
    if not any(part in name for part in ("iat", "duration", "_s", "active", "idle", "time", "blk", "_b_avg"))
]

pytestmark = pytest.mark.needs_netns


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    require_tools("tcpdump", "tcpreplay")
    with network_namespace() as made:
        yield made


class LiveRun:
    """The sidecar and tcpdump listening to one interface while captures are replayed onto it."""

    def __init__(self, namespace: Namespace, directory: Path) -> None:
        self.namespace = namespace
        self.recorded = directory / "recorded.pcap"
        self.flows = directory / "flows.parquet"

    def replay(self, captures: list[Path], *speed: str) -> dict[str, int]:
        """Replay, wait until all has arrived, stop; return the sidecar's counters."""
        sensor = subprocess.Popen(
            self.namespace.command(
                sys.executable, "-P", str(CAPTURE_PROCESS), self.namespace.sensor, str(self.flows)
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        recorder = subprocess.Popen(
            self.namespace.command(
                "tcpdump", "-U", "-i", self.namespace.sensor, "-w", str(self.recorded), "-B", "65536"
            ),
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert sensor.stdout is not None
            assert sensor.stdin is not None
            assert recorder.stderr is not None
            assert sensor.stdout.readline() == "running\n"
            assert "listening on" in recorder.stderr.readline()
            for capture in captures:
                self.namespace.run("tcpreplay", "-q", "-i", self.namespace.sender, *speed, str(capture))
            self._wait_for_the_recorder()
            counters, _ = sensor.communicate("", timeout=60)
        finally:
            recorder.terminate()
            recorder.communicate(timeout=30)
            sensor.kill()
            sensor.wait(30)
        result: dict[str, int] = json.loads(counters)
        return result

    def _wait_for_the_recorder(self) -> None:
        deadline = time.monotonic() + 30
        size, since = -1, time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < 4:
            now = self.recorded.stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.1)


def timeless(tables: list[FlowTable]) -> list[tuple[object, ...]]:
    table = concat_tables(tables)
    values = table.select(TIMELESS)
    rows = [
        (table.source(row), table.destination(row), int(table.src_port[row]), *map(float, values[row]))
        for row in range(len(table))
    ]
    return sorted(rows, key=repr)


def test_a_wire_gives_the_flows_of_its_recording_and_of_the_original(
    namespace: Namespace, tmp_path: Path
) -> None:
    run = LiveRun(namespace, tmp_path)
    counters = run.replay([REFERENCE / f"{name}.pcap" for name in CAPTURES], "--multiplier=20")
    assert counters["kernel_drops"] == 0
    live = read_parquet(run.flows)
    recorded = list(read_capture(run.recorded, live_rules=LiveRules()))

    report = compare(flow_rows(recorded), flow_rows([live]))
    assert report.rows == len(live) > 40
    assert not report.missing
    assert not report.extra
    assert not report.differing, report.examples

    originals = [table for name in CAPTURES for table in read_capture(REFERENCE / f"{name}.pcap")]
    assert timeless([live]) == timeless(originals)


def test_nothing_is_lost_at_full_speed(namespace: Namespace, tmp_path: Path) -> None:
    packets = [packet for n in range(2000) for packet in connection(n * 100, port=1024 + n)]
    packets += [udp(n, 100, src=(f"10.9.{n >> 8}.{n & 255}", 53)) for n in range(2000)]
    packets += [icmp(n, src=f"10.8.0.{n}") for n in range(250)]
    capture = write_capture(tmp_path / "many.pcap", pcap(packets))
    run = LiveRun(namespace, tmp_path)
    counters = run.replay([capture], "--topspeed", "--preload-pcap")
    assert counters["packets"] == counters["metered"] == len(packets)
    assert counters["kernel_drops"] == 0
    live = read_parquet(run.flows)
    assert len(live) == 2000 + 2000 + 250
    assert np.sum(live.column("tot_fwd_pkts") + live.column("tot_bwd_pkts")) == len(packets)


def test_an_interface_that_comes_back_is_captured_again(tmp_path: Path) -> None:
    require_tools("tcpreplay")
    with network_namespace() as namespace:
        capture = write_capture(tmp_path / "one.pcap", pcap(connection()))
        output = tmp_path / "flows.parquet"
        sensor = subprocess.Popen(
            namespace.command(sys.executable, "-P", str(CAPTURE_PROCESS), namespace.sensor, str(output)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert sensor.stdout is not None
            assert sensor.stdout.readline() == "running\n"
            namespace.run("ip", "link", "set", namespace.sensor, "down")
            time.sleep(1)
            namespace.run("ip", "link", "set", namespace.sensor, "up")
            time.sleep(4)
            namespace.run("tcpreplay", "-q", "-i", namespace.sender, str(capture))
            time.sleep(1)
            counters, _ = sensor.communicate("", timeout=60)
        finally:
            sensor.kill()
            sensor.wait(30)
        assert json.loads(counters)["metered"] == 10


def test_an_unknown_interface_is_told_and_tried_again() -> None:
    sidecar = Sidecar(["nosuch0"], lambda table: 0, sensor="t", rules=LiveRules())
    sidecar.start()
    deadline = time.monotonic() + 60
    while sidecar.status()[0].restarts < 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    status = sidecar.status()[0]
    sidecar.stop(10)
    assert not status.running
    assert status.restarts >= 1
    assert status.error is not None
    assert "CIC_INTERFACE: no interface 'nosuch0' here; there are" in status.error
