"""The packet ring on real interfaces: offloads, filters, own traffic."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scapy.all import IP, TCP, UDP, Ether, IPv6, Raw

from flows.schema import IMPROVED_NAMES
from flows.table import FlowTable
from helpers.live_run import LiveRun, assert_identities, live_run
from helpers.namespace import Namespace, network_namespace, require_tools
from helpers.packets import CLIENT, Packet, connection, ethernet, ipv4, pcap, tcp, udp, write_capture
from helpers.ring_blocks import TCPV4, TCPV6, UDP_L4

pytestmark = pytest.mark.needs_netns

GSO_SENDER = Path(__file__).parent.parent / "helpers" / "gso_sender.py"
SEGMENT = 1000
TIMELESS = [
    name
    for name in IMPROVED_NAMES
    if not any(part in name for part in ("iat", "duration", "_s", "active", "idle", "time", "blk", "_b_avg"))
]


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    require_tools("tcpreplay", "ethtool")
    with network_namespace() as made:
        made.run("ip", "link", "set", "lo", "up")
        made.run("ip", "address", "add", "10.97.0.1/24", "dev", made.sensor)
        yield made


def offload(namespace: Namespace, interface: str, state: str) -> None:
    namespace.run("ethtool", "-K", interface, "tso", state, "gso", state, "gro", state)


def vnet_header(kind: int, frame: Ether) -> bytes:
    """Ask for segmentation, and for the checksum that the segments need."""
    if kind == 0:
        return bytes(10)
    layer = TCP if TCP in frame else UDP
    transport = len(frame) - len(frame[layer])
    headers = len(frame) - len(frame[Raw])
    return struct.pack("<BBHHHH", 1, kind, headers, SEGMENT, transport, 16 if layer is TCP else 6)


def merged_dialogue() -> list[tuple[int, Ether]]:
    """Flows whose data comes in frames of several segments, the last with FIN and PSH."""
    link = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    frames: list[tuple[int, Ether]] = []
    for network, kind in (
        (IP(src="10.0.0.1", dst="10.0.0.2"), TCPV4),
        (IPv6(src="2001:db8::1", dst="2001:db8::2"), TCPV6),
    ):
        ports = {"sport": 4000, "dport": 80}
        frames.append((0, link / network / TCP(**ports, flags="S", seq=99)))
        for flags, size, seq in (("A", 5 * SEGMENT, 100), ("PA", 3 * SEGMENT + 7, 5100), ("FPA", 2500, 8107)):
            layer = TCP(**ports, flags=flags, seq=seq, options=[("Timestamp", (1, 2)), ("NOP", None)])
            frames.append((kind, link / network / layer / Raw(bytes(size))))
    datagrams = link / IP(src="10.0.0.1", dst="10.0.0.2") / UDP(sport=5, dport=443) / Raw(bytes(4300))
    return [*frames, (UDP_L4, datagrams)]


def send_merged(namespace: Namespace) -> None:
    lines = [f"{vnet_header(kind, f).hex()} {bytes(f).hex()}\n" for kind, f in merged_dialogue()]
    subprocess.run(
        namespace.command(sys.executable, "-P", str(GSO_SENDER), namespace.sender),
        input="".join(lines),
        check=True,
        text=True,
        timeout=60,
    )


def timeless(table: FlowTable | None) -> list[tuple[object, ...]]:
    assert table is not None
    values = table.select(TIMELESS)
    rows = [(table.source(row), int(table.src_port[row]), *values[row]) for row in range(len(table))]
    return sorted(rows, key=repr)


def test_merged_frames_give_the_flows_that_the_kernel_gives_when_it_segments(
    namespace: Namespace, tmp_path: Path
) -> None:
    runs: dict[str, LiveRun] = {}
    for state in ("on", "off"):
        offload(namespace, namespace.sender, state)
        namespace.run("ethtool", "-K", namespace.sender, "tx-udp-segmentation", state)
        with live_run(namespace, tmp_path) as runs[state]:
            send_merged(namespace)
    offload(namespace, namespace.sender, "on")
    merged, segmented = (runs[state].interfaces[0]["frames"] for state in ("on", "off"))
    # 5 + 4 + 3 segments of each TCP flow and 5 datagrams.
    assert (merged["merged"], merged["segments"], merged["oversized"]) == (7, 29, 0)
    assert segmented["merged"] == 0
    assert segmented["frames"] == 2 + 29
    assert timeless(runs["on"].flows) == timeless(runs["off"].flows)
    for run in runs.values():
        assert_identities(run.interfaces[0])


def transfer(tmp_path: Path, state: str, size: int) -> LiveRun:
    """Send `size` bytes by TCP from another namespace while the sensor's own end is captured."""
    with network_namespace() as server, network_namespace() as client:
        server.run("ip", "link", "set", server.sender, "netns", client.name, "name", "client0")
        for space, end, address in ((server, server.sensor, "10.98.0.1"), (client, "client0", "10.98.0.2")):
            space.run("ip", "link", "set", end, "mtu", "1500", "up")
            space.run("ip", "address", "add", f"{address}/24", "dev", end)
            offload(space, end, state)
        receive = (
            "import socket; s = socket.create_server(('10.98.0.1', 9000)); print(flush=True); "
            "c = s.accept()[0]\nwhile c.recv(1 << 20): pass\nc.close()"
        )
        send = (
            "import socket; s = socket.create_connection(('10.98.0.1', 9000)); "
            f"s.sendall(bytes({size})); s.shutdown(1); s.recv(1); s.close()"
        )
        with live_run(server, tmp_path) as run:
            receiver = subprocess.Popen(
                server.command(sys.executable, "-c", receive), stdout=subprocess.PIPE, text=True
            )
            try:
                assert receiver.stdout is not None
                receiver.stdout.readline()
                client.run(sys.executable, "-c", send)
                receiver.communicate(timeout=30)
            finally:
                receiver.kill()
                receiver.wait(10)
    return run


def test_a_transfer_with_offloads_counts_like_one_without(tmp_path: Path) -> None:
    """TCP's own timing leaves room: segments cut short, or sent again when the machine is busy."""
    require_tools("ethtool")
    size, segment = 2_000_000, 1448
    expected = -(-size // segment)
    for state in ("on", "off"):
        run = transfer(tmp_path, state, size)
        frames = run.interfaces[0]["frames"]
        assert frames["oversized"] == 0
        assert (frames["merged"] > 10) == (state == "on")
        assert (frames["above_mtu"] > 10) == (state == "on")
        assert (frames["frames"] < expected) == (state == "on")
        assert_identities(run.interfaces[0])
        flows = run.flows
        assert flows is not None
        (row,) = np.flatnonzero(flows.dst_port == 9000)
        value = {name: float(flows.column(name)[row]) for name in IMPROVED_NAMES}
        assert size <= value["totlen_fwd_pkts"] <= 1.2 * size
        assert expected <= value["fwd_act_data_pkts"] <= 1.2 * expected
        assert value["fwd_pkt_len_max"] == segment
        # The SYN has 20 bytes of options, all others 12.
        assert value["fwd_header_len"] == 32 * value["tot_fwd_pkts"] + 8
        assert value["totlen_bwd_pkts"] == 0
        assert value["pkt_len_max"] == segment


def test_only_what_the_filter_matches_is_captured(namespace: Namespace, tmp_path: Path) -> None:
    packets = [*connection(), udp(1), udp(2, src=("10.0.0.7", 53))]
    capture = write_capture(tmp_path / "mixed.pcap", pcap(packets))
    with live_run(namespace, tmp_path, packet_filter="udp and host 10.0.0.7") as run:
        run.send(capture)
    assert run.counters["packets"] == run.counters["metered"] == 1
    assert run.interfaces[0]["packet_filter"] == "udp and host 10.0.0.7"


def test_a_vlan_filter_matches_tags_that_the_kernel_took_off(namespace: Namespace, tmp_path: Path) -> None:
    inner = connection()[0].frame[14:]
    tagged = Packet(0, ethernet(inner, tags=(0x8100,)))
    capture = write_capture(tmp_path / "tagged.pcap", pcap([tagged, *connection()]))
    with live_run(namespace, tmp_path, packet_filter="vlan") as run:
        run.send(capture)
    assert run.counters["packets"] == run.counters["metered"] == 1


@pytest.mark.parametrize(("promiscuous", "seen"), [(True, 1), (False, 0)])
def test_promiscuous_or_not(promiscuous: bool, seen: int, namespace: Namespace, tmp_path: Path) -> None:
    flag = namespace.run("cat", f"/sys/class/net/{namespace.sensor}/flags").stdout
    assert int(flag, 16) & 0x100 == 0
    with live_run(namespace, tmp_path, promiscuous=promiscuous):
        details = namespace.run("ip", "-d", "link", "show", namespace.sensor).stdout
    assert f"promiscuity {seen}" in details


def test_own_traffic_with_a_service_is_left_out_and_nothing_else(
    namespace: Namespace, tmp_path: Path
) -> None:
    own, service, other = "10.97.0.1", "10.97.0.9", "10.97.0.3"
    hidden = [
        tcp(0, "S", src=(own, 40000), dst=(service, 5000)),
        tcp(1, "SA", src=(service, 5000), dst=(own, 40000)),
        tcp(2, "PA", 300, src=(own, 40000), dst=(service, 5000)),
    ]
    shown = [
        tcp(3, "S", src=(own, 40000), dst=(service, 5001)),
        tcp(4, "S", src=(service, 40000), dst=(own, 5000)),
        tcp(5, "S", src=(other, 40000), dst=(service, 5000)),
        tcp(6, "S", src=(service, 5000), dst=(other, 40000)),
        tcp(7, "S", src=(other, 40000), dst=(own, 8000)),
        udp(8, src=(own, 40000), dst=(service, 5000)),
        Packet(9, ethernet(ipv4(own, service, 6, b"\x9c\x40"))),
        *connection(),
    ]
    capture = write_capture(tmp_path / "own.pcap", pcap([*hidden, *shown]))
    services = [["MLFLOW_TRACKING_URI", 5000, service], ["PORT", 8000]]
    with live_run(namespace, tmp_path, own_traffic=services) as run:
        run.send(capture)
    assert run.left_out == [[f"TCP between {own} and port 5000 of {service} (MLFLOW_TRACKING_URI)"]]
    assert run.counters["packets"] == len(shown)
    assert run.flows is not None
    ports = set(zip(run.flows.src_port.tolist(), run.flows.dst_port.tolist(), strict=True))
    assert (40000, 5001) in ports
    assert CLIENT[1] in run.flows.src_port


def test_own_traffic_over_ipv6_and_with_a_filter(namespace: Namespace, tmp_path: Path) -> None:
    namespace.run("sysctl", "-qw", f"net.ipv6.conf.{namespace.sensor}.disable_ipv6=0")
    namespace.run("ip", "address", "add", "2001:db8:97::1/64", "dev", namespace.sensor, "nodad")
    own, service = "2001:db8:97::1", "2001:db8:97::9"
    packets = [
        tcp(0, "S", src=(own, 40000), dst=(service, 443)),
        tcp(1, "SA", src=(service, 443), dst=(own, 40000)),
        tcp(2, "S", src=(own, 40000), dst=(service, 444)),
        udp(3, src=(own, 40000), dst=(service, 443)),
    ]
    capture = write_capture(tmp_path / "own6.pcap", pcap(packets))
    options = {"own_traffic": [["AWS_ENDPOINT_URL", 443, service]], "packet_filter": f"tcp and host {own}"}
    try:
        with live_run(namespace, tmp_path, **options) as run:
            run.send(capture)
    finally:
        namespace.run("sysctl", "-qw", f"net.ipv6.conf.{namespace.sensor}.disable_ipv6=1")
    assert run.flows is not None
    assert run.flows.dst_port.tolist() == [444]


def test_the_api_is_left_out_on_loopback(namespace: Namespace, tmp_path: Path) -> None:
    knock = "import socket\nfor port in (8000, 8001): socket.socket().connect_ex(('127.0.0.1', port))"
    with live_run(namespace, tmp_path, interfaces="lo", own_traffic=[["PORT", 8000]]) as run:
        namespace.run(sys.executable, "-c", knock)
    assert run.left_out == [["TCP port 8000 on this interface (PORT)"]]
    assert run.flows is not None
    assert run.flows.dst_port.tolist() == [8001]
    assert run.counters["packets"] == 2
