"""Live capture on a veth pair in a network namespace, beside tcpdump on the same interface."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from capture.files import read_capture
from capture.interfaces import may_capture
from capture.rules import LiveRules
from capture.sidecar import Sidecar
from flows.schema import IMPROVED_NAMES
from flows.table import FlowTable, concat_tables
from helpers.live_run import assert_identities, live_run
from helpers.namespace import Namespace, network_namespace, require_tools
from helpers.packets import CLIENT, SERVER, Packet, connection, icmp, pcap, tcp, udp, write_capture
from helpers.parity import compare, flow_rows

REFERENCE = Path(__file__).parent.parent / "reference"
CAPTURES = [
    "01_tcp_fin", "02_tcp_rst", "03_udp", "05_bulk", "06_noise", "07_vlan_ipv6", "08_out_of_order",
]  # fmt: skip
"""Those that last seconds; the others need minutes of wire time."""

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


@contextmanager
def recorded(namespace: Namespace, path: Path) -> Iterator[None]:
    """Let tcpdump listen beside the sidecar until nothing comes any more."""
    recorder = subprocess.Popen(
        namespace.command("tcpdump", "-U", "-i", namespace.sensor, "-w", str(path), "-B", "65536"),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert recorder.stderr is not None
        assert "listening on" in recorder.stderr.readline()
        yield
        deadline = time.monotonic() + 30
        size, since = -1, time.monotonic()
        while time.monotonic() < deadline and time.monotonic() - since < 4:
            now = path.stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.1)
    finally:
        recorder.terminate()
        recorder.communicate(timeout=30)


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
    recording = tmp_path / "recorded.pcap"
    with live_run(namespace, tmp_path) as run, recorded(namespace, recording):
        for name in CAPTURES:
            run.send(REFERENCE / f"{name}.pcap", speed=("--multiplier=20",))
    assert run.interfaces[0]["kernel_drops"] == 0
    live = run.flows
    assert live is not None

    report = compare(flow_rows(list(read_capture(recording, live_rules=LiveRules()))), flow_rows([live]))
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
    with live_run(namespace, tmp_path, evidence_bytes=1 << 26) as run:
        run.send(capture, speed=("-K", "-t"))
    assert run.counters["packets"] == run.counters["metered"] == len(packets)
    assert run.interfaces[0]["kernel_drops"] == 0
    assert run.interfaces[0]["evidence"]["packets"] == len(packets)
    assert_identities(run.interfaces[0])
    assert run.flows is not None
    assert len(run.flows) == 2000 + 2000 + 250
    assert np.sum(run.flows.column("tot_fwd_pkts") + run.flows.column("tot_bwd_pkts")) == len(packets)


def test_everything_that_comes_is_accounted_for(namespace: Namespace, tmp_path: Path) -> None:
    frames = [
        *(packet.frame for packet in connection()),
        bytes.fromhex("ffffffffffff020000000001") + b"\x08\x06" + bytes(46),
        bytes.fromhex("020000000002020000000001") + b"\x88\xb5" + bytes(46),
        bytes.fromhex("020000000002020000000001") + b"\x08\x00" + b"\x45" + bytes(5),
        bytes.fromhex("020000000002020000000001") + b"\x08\x00" + b"\x15" + bytes(45),
    ]
    capture = write_capture(tmp_path / "mixed.pcap", pcap([Packet(n, f) for n, f in enumerate(frames)]))
    with live_run(namespace, tmp_path, evidence_bytes=1 << 20) as run:
        run.send(capture)
        # The connection is emitted 2 s after its close; what comes then is late.
        time.sleep(3)
        run.send(write_capture(tmp_path / "late.pcap", pcap([tcp(0, "A")])))
    assert run.counters["packets"] == len(frames) + 1
    assert run.counters["metered"] == 10
    assert run.counters["late"] == 1
    reasons = {reason: packets for reason, packets in run.counters["ignored"].items() if packets}
    assert reasons == {"arp": 1, "not_ip": 1, "truncated": 1, "malformed": 1}
    assert_identities(run.interfaces[0])


def test_evidence_of_a_live_flow(namespace: Namespace, tmp_path: Path) -> None:
    capture = write_capture(tmp_path / "one.pcap", pcap([*connection(), udp(5), *connection(port=40001)]))
    evidence = tmp_path / "evidence.pcap"
    ask = [*CLIENT, *SERVER, 6, str(evidence)]
    with live_run(namespace, tmp_path, evidence_bytes=1 << 20, ask=ask) as run:
        run.send(capture)
    assert run.evidence == 10
    (table,) = read_capture(evidence)
    assert (len(table), int(table.src_port[0])) == (1, 40000)
    assert run.flows is not None
    of_the_flow = timeless([run.flows])
    assert timeless([table])[0] in of_the_flow


def test_two_interfaces_are_captured_at_once(namespace: Namespace, tmp_path: Path) -> None:
    namespace.run("ip", "link", "add", "sender2", "type", "veth", "peer", "name", "sensor2")
    try:
        for end in ("sender2", "sensor2"):
            namespace.run("ip", "link", "set", end, "up")
        first = write_capture(tmp_path / "first.pcap", pcap(connection()))
        second = write_capture(tmp_path / "second.pcap", pcap([udp(1), udp(2), udp(3)]))
        both = f"{namespace.sensor},sensor2"
        with live_run(namespace, tmp_path, interfaces=both, evidence_bytes=1 << 20) as run:
            run.send(first)
            run.send(second, into="sender2")
    finally:
        namespace.run("ip", "link", "delete", "sender2")
    seen = {status["interface"]: status["counters"]["metered"] for status in run.interfaces}
    assert seen == {namespace.sensor: 10, "sensor2": 3}
    assert [status["evidence"]["packets"] for status in run.interfaces] == [10, 3]
    for status in run.interfaces:
        assert_identities(status)


def set_down_and_up(namespace: Namespace) -> None:
    namespace.run("ip", "link", "set", namespace.sensor, "down")
    time.sleep(1)
    namespace.run("ip", "link", "set", namespace.sensor, "up")


def delete_and_recreate(namespace: Namespace) -> None:
    namespace.run("ip", "link", "delete", namespace.sensor)
    time.sleep(1)
    namespace.run("ip", "link", "add", namespace.sender, "type", "veth", "peer", "name", namespace.sensor)
    for end in (namespace.sender, namespace.sensor):
        namespace.run("ip", "link", "set", end, "up")


@pytest.mark.parametrize("disturb", [set_down_and_up, delete_and_recreate])
def test_an_interface_that_comes_back_is_captured_again(
    tmp_path: Path, disturb: Callable[[Namespace], None]
) -> None:
    require_tools("tcpreplay")
    with network_namespace() as namespace:
        before = write_capture(tmp_path / "before.pcap", pcap(connection()))
        after = write_capture(tmp_path / "after.pcap", pcap(connection(port=40001)))
        with live_run(namespace, tmp_path) as run:
            run.send(before)
            time.sleep(1)
            disturb(namespace)
            time.sleep(7)
            run.send(after)
    assert run.interfaces[0]["restarts"] >= 1
    assert run.counters["metered"] == 20
    assert_identities(run.interfaces[0])


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


def test_an_interface_that_is_down_is_never_said_to_run() -> None:
    require_tools()
    with network_namespace() as namespace:
        namespace.run("ip", "link", "set", namespace.sensor, "down")
        code = f"from capture.ring import PacketRing; PacketRing({namespace.sensor!r})"
        with pytest.raises(subprocess.CalledProcessError) as caught:
            namespace.run(sys.executable, "-c", code)
    assert "sensor is down: ip link set sensor up" in caught.value.stderr


def test_flows_that_the_receiver_sheds_are_counted() -> None:
    if not may_capture():
        pytest.skip("capturing is not permitted here")
    sidecar = Sidecar(["lo"], len, sensor="t", rules=LiveRules())
    sidecar.start()
    deadline = time.monotonic() + 120
    while not sidecar.status()[0].running and time.monotonic() < deadline:
        time.sleep(0.1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"ping", ("127.0.0.1", 9))
    sidecar.stop(10)
    (status,) = sidecar.status()
    assert status.flows_shed == sum(status.counters.emitted.values()) >= 1
    assert_identities(dataclasses.asdict(status))


def test_a_busy_wire_does_not_delay_the_stop() -> None:
    if not may_capture():
        pytest.skip("capturing is not permitted here")
    sidecar = Sidecar(["lo"], lambda table: 0, sensor="t", rules=LiveRules())
    sidecar.start()
    deadline = time.monotonic() + 120
    while not sidecar.status()[0].running and time.monotonic() < deadline:
        time.sleep(0.1)
    over = threading.Event()

    def trickle() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not over.wait(0.02):
                sender.sendto(b"ping", ("127.0.0.1", 9))

    sender = threading.Thread(target=trickle)
    sender.start()
    try:
        time.sleep(0.5)
        start = time.monotonic()
        sidecar.stop(30)
        assert time.monotonic() - start < 2
    finally:
        over.set()
        sender.join()
