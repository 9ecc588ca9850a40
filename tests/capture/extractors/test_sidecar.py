"""PyPI cicflowmeter on a wire: a veth pair in a network namespace, and the loopback interface."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from capture.extractors.comparison import measure_file
from capture.extractors.environment import Environment
from capture.extractors.sidecar import ExtractorSidecar
from capture.interfaces import may_capture
from capture.options import CaptureOptions, OwnService
from capture.status import InterfaceStatus
from flows.parquet_files import read_parquet
from flows.schema import COMMON_NAMES
from flows.table import EndReason, FlowTable, concat_tables
from helpers.extractor import extractor_environment, extractor_tools
from helpers.namespace import network_namespace, require_tools
from helpers.server import wait_until

REFERENCE = Path(__file__).parents[2] / "reference"
CAPTURES = [REFERENCE / f"{name}.pcap" for name in ("01_tcp_fin", "02_tcp_rst", "03_udp", "06_noise")]
PROCESS = Path(__file__).parents[2] / "helpers" / "extractor_process.py"
TIMELESS = [name for name in COMMON_NAMES if not any(
    part in name for part in ("iat", "duration", "_s", "active", "idle", "blk", "_b_avg")
)]  # fmt: skip


RELEASE = pytest.mark.parametrize("release", [None, pytest.param("0.5.0", marks=pytest.mark.slow)])
"""What this Python gets from the package index, and the newer one."""


@pytest.fixture
def environment(request: pytest.FixtureRequest, release: str | None) -> Environment:
    if not may_capture():
        pytest.skip("capturing is not permitted here")
    return extractor_environment(request.config, release)


class Wire:
    """The extractor on the loopback interface, and a port that only this test uses."""

    def __init__(self, environment: Environment) -> None:
        self.tables: list[FlowTable] = []
        self.receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.receiver.bind(("127.0.0.1", 0))
        self.sidecar = ExtractorSidecar(["lo"], self.keep, sensor="test", environment=environment)

    def keep(self, table: FlowTable) -> int:
        self.tables.append(table)
        return 0

    def send(self, datagrams: int) -> int:
        """Send datagrams from a new port, and return that port once they were counted."""
        before = self.status().counters.metered
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            for _ in range(datagrams):
                sender.sendto(b"x" * 100, self.receiver.getsockname())
            wait_until(lambda: self.status().counters.metered >= before + datagrams)
            return int(sender.getsockname()[1])

    def status(self) -> InterfaceStatus:
        return self.sidecar.status()[0]

    def packets(self, port: int) -> list[float]:
        """The packets of each flow from a port."""
        return [
            packets
            for table in self.tables
            for packets in table.column("tot_fwd_pkts")[table.src_port == port].tolist()
        ]


@contextmanager
def capturing(environment: Environment) -> Iterator[Wire]:
    wire = Wire(environment)
    wire.sidecar.start()
    try:
        wait_until(lambda: wire.status().running)
        yield wire
    finally:
        wire.sidecar.stop(20)
        wire.receiver.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def assert_identities(status: InterfaceStatus) -> None:
    counters = status.counters
    assert counters.packets == counters.metered + counters.late + sum(counters.ignored.values())
    assert counters.flows_opened == (
        sum(counters.emitted.values()) + counters.flows_dropped + counters.flows_live
    )


@RELEASE
@pytest.mark.needs_netns
def test_a_wire_gives_the_rows_of_its_captures(
    request: pytest.FixtureRequest, release: str | None, tmp_path: Path
) -> None:
    require_tools("tcpreplay")
    tools = extractor_tools(request.config, release)
    output = tmp_path / "flows.parquet"
    with network_namespace() as namespace:
        sensor = subprocess.Popen(
            namespace.command(
                *(sys.executable, "-P", str(PROCESS), namespace.sensor, str(output), str(tools))
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert sensor.stdout is not None
            pid = int(sensor.stdout.readline())
            for capture in CAPTURES:
                namespace.run("tcpreplay", "-q", "-i", namespace.sender, "--pps=400", str(capture))
            time.sleep(2)
            printed, _ = sensor.communicate("", timeout=60)
        finally:
            sensor.kill()
            sensor.wait(30)
    assert not alive(pid)
    status = json.loads(printed)
    counters = status["counters"]
    assert (status["kernel_drops"], status["restarts"], counters["flows_live"]) == (0, 0, 0)
    assert counters["packets"] == counters["metered"] + sum(counters["ignored"].values())
    assert counters["flows_opened"] == counters["emitted"]["flush"]

    live = read_parquet(output)
    assert live.dialect == "python-cicflowmeter"
    assert set(live.end_reason.tolist()) == {EndReason.FLUSH}
    environment = extractor_environment(request.config, release)
    recorded = concat_tables([table for path in CAPTURES for table in measure_file(path, environment)])
    assert len(live) == len(recorded) == counters["emitted"]["flush"] > 20
    assert timeless(live) == timeless(recorded)


def timeless(table: FlowTable) -> list[tuple[object, ...]]:
    values = table.select(TIMELESS).tolist()
    return sorted((table.source(row), int(table.src_port[row]), *values[row]) for row in range(len(table)))


@RELEASE
def test_stop_hands_open_flows_over_and_leaves_no_process(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), capturing(environment) as wire:
        pid = wire.sidecar._extractors[0].pid
        assert pid is not None
        port = wire.send(7)
        assert wire.packets(port) == []
        assert_identities(wire.status())
    assert wire.packets(port) == [7 if environment.release == "0.2.0" else 8]
    assert not alive(pid)
    assert_identities(wire.status())
    assert (wire.status().running, wire.status().counters.flows_live) == (False, 0)
    uids = [uid for table in wire.tables for uid in table.flow_uid.tolist()]
    assert len(set(uids)) == len(uids)
    (told,) = [record.getMessage() for record in caplog.records if "it is known that" in record.getMessage()]
    assert "every length is that of the frame" in told


@RELEASE
def test_a_process_that_dies_is_started_again_and_its_flows_are_counted(
    environment: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    with capturing(environment) as wire:
        lost = wire.send(3)
        wait_until(lambda: wire.status().counters.flows_live > 0)
        pid = wire.sidecar._extractors[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: wire.status().restarts == 1 and wire.status().running)
        kept = wire.send(4)
    status = wire.status()
    assert wire.packets(lost) == []
    assert len(wire.packets(kept)) == 1
    assert status.counters.flows_dropped >= 1
    assert status.counters.metered >= 7
    assert_identities(status)
    assert "ended with code -9" in caplog.text


def test_the_process_ends_with_a_service_that_was_killed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if not may_capture():
        pytest.skip("capturing is not permitted here")
    tools = extractor_tools(request.config)
    service = subprocess.Popen(
        [sys.executable, "-P", str(PROCESS), "lo", str(tmp_path / "flows.parquet"), str(tools)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert service.stdout is not None
    pid = int(service.stdout.readline())
    assert alive(pid)
    service.kill()
    service.communicate(timeout=30)
    wait_until(lambda: not alive(pid))


@RELEASE
def test_filter_and_own_traffic_are_those_of_the_settings(environment: Environment) -> None:
    tables: list[FlowTable] = []
    with (
        socket.create_server(("127.0.0.1", 0)) as own,
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        options = CaptureOptions(packet_filter="tcp", own_traffic=(OwnService("PORT", own.getsockname()[1]),))

        def keep(table: FlowTable) -> int:
            tables.append(table)
            return 0

        sidecar = ExtractorSidecar(["lo"], keep, sensor="t", environment=environment, options=options)
        sidecar.start()
        wait_until(lambda: sidecar.status()[0].running)
        datagrams.sendto(b"x", other.getsockname())
        for server in (own, other):
            socket.create_connection(server.getsockname()).close()
        wait_until(lambda: sidecar.status()[0].counters.metered)
        time.sleep(1)
        sidecar.stop(20)
        status = sidecar.status()[0]
        ports = concat_tables(tables).dst_port.tolist()
        assert (ports.count(other.getsockname()[1]), ports.count(own.getsockname()[1])) == (1, 0)
        assert set(concat_tables(tables).protocol.tolist()) == {6}
    assert (status.packet_filter, len(status.left_out)) == ("tcp", 1)


def test_an_unknown_interface_is_told_and_tried_again() -> None:
    missing = Environment("0.2.0", Path("/nonexistent/python"))
    sidecar = ExtractorSidecar(["nosuch0"], lambda table: 0, sensor="t", environment=missing)
    sidecar.start()
    wait_until(lambda: sidecar.status()[0].restarts >= 1)
    status = sidecar.status()[0]
    sidecar.stop(10)
    assert not status.running
    assert "CIC_INTERFACE: no interface 'nosuch0' here; there are" in str(status.error)


def test_an_interpreter_that_is_gone_is_told() -> None:
    missing = Environment("0.2.0", Path("/nonexistent/python"))
    sidecar = ExtractorSidecar(["lo"], lambda table: 0, sensor="t", environment=missing)
    sidecar.start()
    wait_until(lambda: sidecar.status()[0].restarts >= 1)
    sidecar.stop(10)
    assert "No such file or directory" in str(sidecar.status()[0].error)
