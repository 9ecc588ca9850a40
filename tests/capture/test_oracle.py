"""The kernel against the oracle: the same packets through both, in every dialect."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capture.meter import FlowMeter
from helpers.oracle import DIALECTS, oracle_capture_rows, oracle_rows
from helpers.packets import START_US, Packet, ethernet, feed, framed_packets, ipv4, ipv6, tcp, udp_datagram
from helpers.parity import Layout, ParityReport, Rows, compare, flow_rows
from helpers.parity_references import (
    Reference,
    capture_references,
    committed_references,
    compared,
    golden_references,
    listed,
    problems,
)

S = 1_000_000
HOSTS = ["10.0.0.1", "10.0.0.2", "192.168.7.9"]
HOSTS_V6 = ["2001:db8::1", "2001:db8::2"]
# Around every threshold: a bulk's and a subflow's second, activity, time-out; out of order, too.
GAPS = [0, 0, 1, 40, 1000, 1000, 30_000, 999_999, S, S + 1, 3 * S, 5 * S - 1, 5 * S, 5 * S + 1, 20 * S]
LONG_GAPS = [59 * S, 120 * S - 1, 120 * S, 120 * S + 1, 130 * S, 300 * S, -1, -700, -S, -6 * S]
FLAGS = ["S", "SA", "A", "A", "A", "PA", "PA", "FA", "F", "R", "RA", "FR", "FSRPAUEC", "", "U", "EC", "SP"]
BITS = {letter: 1 << bit for bit, letter in enumerate("FSRPAUEC")}


@pytest.mark.parametrize("reference", committed_references(), ids=lambda r: f"{r.dialect}-{r.name}")
def test_the_oracle_itself_gives_the_reference_rows(reference: Reference) -> None:
    assert problems(compared(reference, oracle_capture_rows), listed(reference)) == []


@pytest.mark.needs_shared
def test_the_oracle_gives_the_published_rows() -> None:
    for reference in golden_references():
        assert problems(compared(reference, oracle_capture_rows), listed(reference)) == []


def framed_rows(capture: Path, dialect: str) -> Rows:
    """The oracle's rows of a capture of any format, which our reader takes apart into frames."""
    frames = [(START_US + at, frame) for at, frame in framed_packets(capture.read_bytes())]
    return oracle_rows(frames, dialect)


@pytest.mark.needs_shared
def test_the_oracle_gives_the_rows_of_captures_of_other_origins() -> None:
    total = ParityReport()
    for reference in capture_references():
        report = compared(reference, framed_rows)
        assert problems(report, listed(reference)) == []
        total.add(report)
    assert (total.equal, total.rows) == (33_675, 33_683)


@st.composite
def tcp_segments(draw: st.DrawFn) -> bytes:
    options = draw(st.sampled_from([b"", b"", bytes(4), bytes(12), bytes(40)]))
    offset = (20 + len(options)) // 4
    if draw(st.integers(0, 30)) == 0:
        offset = draw(st.integers(0, 15))
    flags = sum(BITS[letter] for letter in draw(st.sampled_from(FLAGS)))
    numbers = draw(st.sampled_from([0, 1, 0xFFFFFFFF])), draw(st.sampled_from([0, 7]))
    window = draw(st.sampled_from([0, 0, 1, 512, 65535]))
    ports = draw(st.sampled_from([(1000, 80), (80, 1000), (1001, 80), (80, 80)]))
    header = struct.pack(">HHIIBBHHH", *ports, *numbers, offset << 4, flags, window, 0, 0)
    return header + options + bytes(draw(st.sampled_from([0, 0, 0, 1, 6, 100, 1448])))


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    ports = draw(st.sampled_from([(1000, 53), (53, 1000), (53, 53)]))
    return udp_datagram(*ports, bytes(draw(st.sampled_from([0, 1, 10, 512, 1472]))))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """ICMP and ICMPv6, echo and others; errors may quote a packet."""
    kind = draw(st.sampled_from([0, 3, 4, 5, 8, 11, 12, 128, 129]))
    quoted = b""
    if draw(st.booleans()):
        quoted = ipv4(HOSTS[1], HOSTS[0], *draw(st.sampled_from([(6, bytes(20)), (17, bytes(8)), (6, b"")])))
    return bytes([kind, draw(st.sampled_from([0, 1, 3])), 0, 0, 0, 0, 0, 0]) + quoted


@st.composite
def layer_4(draw: st.DrawFn) -> tuple[int, bytes]:
    kind = draw(
        st.sampled_from(["tcp"] * 8 + ["udp"] * 3 + ["icmp", "icmpv6", "sctp", "igmp", "esp", "short"])
    )
    if kind == "tcp":
        return 6, draw(tcp_segments())
    if kind == "udp":
        return 17, draw(datagrams())
    if kind in ("icmp", "icmpv6"):
        return 1 if kind == "icmp" else 58, draw(messages())
    if kind == "short":
        return draw(st.sampled_from([1, 6, 17, 132])), bytes(draw(st.integers(0, 19)))
    protocol = {"sctp": 132, "igmp": 2, "esp": 50}[kind]
    return protocol, struct.pack(">HH", 5000, 5001) + bytes(draw(st.sampled_from([4, 8, 60])))


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    protocol, body = draw(layer_4())
    if draw(st.integers(0, 6)) == 0:
        src, dst = draw(st.sampled_from([(0, 1), (1, 0), (0, 0)]))
        if draw(st.booleans()):
            body = bytes([protocol, 0, 0, draw(st.sampled_from([0, 1, 8]))]) + bytes(4) + body
            protocol = 44
        if draw(st.booleans()):
            body = bytes([protocol, 1]) + bytes(14) + body
            protocol = draw(st.sampled_from([0, 60]))
        packet = ipv6(HOSTS_V6[src], HOSTS_V6[dst], protocol, body)
    else:
        src, dst = draw(st.sampled_from([(0, 1), (0, 1), (1, 0), (1, 0), (2, 1), (0, 0)]))
        fragment = draw(st.sampled_from([0] * 12 + [0x2000, 0x2010, 0x0010]))
        options = draw(st.sampled_from([b"", b"", b"", bytes(8)]))
        packet = ipv4(HOSTS[src], HOSTS[dst], protocol, body, fragment=fragment, options=options)
        if draw(st.integers(0, 12)) == 0:
            packet = ipv4(HOSTS[2], HOSTS[0], 4, packet)
        if draw(st.integers(0, 12)) == 0:
            packet = packet[:2] + b"\0\0" + packet[4:]
    tags = draw(st.sampled_from([[], [], [], [0x8100], [0x88A8, 0x8100]]))
    frame = ethernet(packet, tags=tags) + bytes(draw(st.sampled_from([0, 0, 2, 6])))
    if draw(st.integers(0, 20)) == 0:
        frame = frame[: draw(st.integers(0, len(frame)))]
    if frame and draw(st.integers(0, 8)) == 0:
        at = draw(st.integers(0, min(len(frame), 90) - 1))
        frame = frame[:at] + bytes([draw(st.integers(0, 255))]) + frame[at + 1 :]
    return frame


@st.composite
def traffic(draw: st.DrawFn) -> list[Packet]:
    at = 0
    packets = []
    for frame in draw(st.lists(frames(), min_size=1, max_size=60)):
        packets.append(Packet(at, frame))
        at += draw(st.sampled_from(GAPS if draw(st.integers(0, 9)) else LONG_GAPS))
    return packets


@st.composite
def conversations(draw: st.DrawFn) -> list[Packet]:
    """Few five-tuples with many packets each, so that they close, reopen, pause and carry bulks."""
    gaps = draw(
        st.sampled_from([[0, 1, 40, 1000], GAPS, [*GAPS, *LONG_GAPS], [1000, 20 * S, 59 * S, 119 * S]])
    )
    makers = {
        "tcp": tcp_segments(),
        "udp": datagrams(),
        "icmp": messages(),
    }
    kind = draw(st.sampled_from(["tcp", "tcp", "udp", "icmp"]))
    protocol = {"tcp": 6, "udp": 17, "icmp": 1}[kind]
    at = 0
    packets = []
    for body in draw(st.lists(makers[kind], min_size=1, max_size=80)):
        # The port tells who sends, so that both directions meet in one flow.
        from_server = (kind == "icmp" and draw(st.booleans())) or body[:2] < body[2:4]
        src, dst = (HOSTS[1], HOSTS[0]) if from_server else (HOSTS[0], HOSTS[1])
        packets.append(Packet(at, ethernet(ipv4(src, dst, protocol, body))))
        at += draw(st.sampled_from(gaps))
    return packets


def against_the_oracle(packets: list[Packet], dialect: str) -> ParityReport:
    layout = Layout(dialect)
    meter = FlowMeter(dialect)
    # Interpreted, the kernel's hashes and divisions warn where compiled ones do not.
    with np.errstate(all="ignore"):
        ours = flow_rows([*feed(meter, packets), *meter.flush()], layout)
    timed = [(START_US + packet.at_us, packet.frame) for packet in packets]
    return compare(oracle_rows(timed, dialect, layout), ours, layout=layout)


def assert_alike(report: ParityReport) -> None:
    assert not report.differing, report.examples
    assert not report.missing
    assert not report.extra


@pytest.mark.parametrize("dialect", DIALECTS)
@given(packets=traffic())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_traffic_gives_the_same_flows(packets: list[Packet], dialect: str) -> None:
    assert_alike(against_the_oracle(packets, dialect))


@pytest.mark.parametrize("dialect", DIALECTS)
@given(packets=conversations())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_conversation_gives_the_same_flows(packets: list[Packet], dialect: str) -> None:
    assert_alike(against_the_oracle(packets, dialect))


def test_packets_of_the_next_connection_are_not_repeated_ones() -> None:
    there, back = ("10.0.0.1", 1000), ("10.0.0.2", 80)
    packets = [
        tcp(0, "S", src=there, dst=back, window=5),
        tcp(1, "S", src=back, dst=there, window=5),
        tcp(2, "S", src=("10.0.0.1", 1001), dst=back, window=5),
        tcp(3, "S", src=there, dst=back, window=5),
    ]
    report = against_the_oracle(packets, "improved-2024")
    assert_alike(report)
    assert report.rows == 2
