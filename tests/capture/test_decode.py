from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.decode import decode
from capture.dialects import RULES as DIALECT_RULES
from capture.dialects import rule_values
from capture.layout import PACKET, Ignored, Rule, records
from flows.addresses import pack_address
from flows.jit import kernel
from helpers.packets import CLIENT, SERVER, ethernet, ipv4, ipv6, tcp_segment, udp_datagram

V6 = ("2001:db8::1", "2001:db8::2")
TCP = tcp_segment(1234, 80, "PA", b"hello", window=777)


@kernel
def _decode(block, start, captured, link, packets, rules):  # type: ignore[no-untyped-def]
    return decode(block, start, captured, link, packets[0], rules)


RULES = {name: np.concatenate([np.zeros(Rule.CLOSE, np.int64), rule_values(name)]) for name in DIALECT_RULES}


each_dialect = pytest.mark.parametrize("dialect", sorted(RULES))


def decoded(  # type: ignore[no-untyped-def]
    frame: bytes, link: int = 1, captured: int | None = None, dialect: str = "improved"
):
    packets = records(1, PACKET)
    block = np.frombuffer(frame or b"\0", np.uint8).copy()
    reason = _decode(block, 0, len(frame) if captured is None else captured, link, packets, RULES[dialect])
    return Ignored(reason), packets[0]


def five_tuple(packet):  # type: ignore[no-untyped-def]
    src = int(packet.src_hi).to_bytes(8, "big") + int(packet.src_lo).to_bytes(8, "big")
    dst = int(packet.dst_hi).to_bytes(8, "big") + int(packet.dst_lo).to_bytes(8, "big")
    return src, int(packet.src_port), dst, int(packet.dst_port), int(packet.protocol)


def test_tcp_over_ipv4() -> None:
    reason, packet = decoded(ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP)))
    assert reason == Ignored.METERED
    assert five_tuple(packet) == (pack_address(CLIENT[0]), 1234, pack_address(SERVER[0]), 80, 6)
    assert (packet.payload, packet.header, packet.tcp_flags, packet.window) == (5, 20, 24, 777)


def test_tcp_over_ipv6() -> None:
    reason, packet = decoded(ethernet(ipv6(*V6, 6, TCP)))
    assert reason == Ignored.METERED
    assert five_tuple(packet) == (pack_address(V6[0]), 1234, pack_address(V6[1]), 80, 6)
    assert packet.payload == 5


@pytest.mark.parametrize("tags", [[0x8100], [0x88A8, 0x8100], [0x9100, 0x8100]])
def test_vlan_tags_are_passed_over(tags: list[int]) -> None:
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 17, udp_datagram(5, 6, b"abc")), tags=tags)
    reason, packet = decoded(frame)
    assert reason == Ignored.METERED
    assert (packet.src_port, packet.dst_port, packet.payload, packet.header) == (5, 6, 3, 8)


@pytest.mark.parametrize(
    ("link", "header"),
    [
        (0, b"\x02\0\0\0"),
        (0, b"\0\0\0\x02"),
        (1, bytes(12) + b"\x08\0"),
        (101, b""),
        (14, b""),
        (12, b""),
        (108, b"\0\0\0\x02"),
        (113, bytes(14) + b"\x08\0"),
        (228, b""),
        (113, bytes(14) + b"\x81\0\0\x07\x08\0"),
        (276, b"\x08\0" + bytes(18)),
        (276, b"\x81\0" + bytes(18) + b"\0\x07\x08\0"),
    ],
)
def test_link_types(link: int, header: bytes) -> None:
    reason, packet = decoded(header + ipv4(CLIENT[0], SERVER[0], 6, TCP), link)
    assert reason == Ignored.METERED
    assert packet.src_port == 1234


@pytest.mark.parametrize(
    ("link", "header"),
    [
        (0, b"\x1e\0\0\0"),
        (101, b""),
        (229, b""),
        (113, bytes(14) + b"\x86\xdd"),
        (276, b"\x86\xdd" + bytes(18)),
    ],
)
def test_link_types_with_ipv6(link: int, header: bytes) -> None:
    reason, packet = decoded(header + ipv6(*V6, 6, TCP), link)
    assert (reason, packet.src_port) == (Ignored.METERED, 1234)


def test_ethernet_padding_is_not_payload() -> None:
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 6, tcp_segment(1, 2))) + bytes(6)
    assert decoded(frame)[1].payload == 0


def test_ip_length_of_zero_means_all_that_was_captured() -> None:
    frame = bytearray(ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP)))
    frame[16:18] = b"\0\0"
    assert decoded(bytes(frame))[1].payload == 5


def test_options_of_ipv4_are_passed_over() -> None:
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP, options=bytes(8)))
    assert decoded(frame)[1].src_port == 1234


@pytest.mark.parametrize("fragment", [1, 0x2001, 0x1FFF])
def test_later_fragments_belong_to_the_host_pair(fragment: int) -> None:
    reason, packet = decoded(ethernet(ipv4(CLIENT[0], SERVER[0], 17, bytes(64), fragment=fragment)))
    assert reason == Ignored.METERED
    assert (packet.protocol, packet.src_port, packet.dst_port, packet.payload) == (0, 0, 0, 0)


def test_first_fragment_is_an_ordinary_datagram() -> None:
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 17, udp_datagram(7, 8, bytes(20)), fragment=0x2000))
    assert (decoded(frame)[1].src_port, decoded(frame)[1].payload) == (7, 20)


def test_extension_headers_of_ipv6_are_passed_over() -> None:
    hop_by_hop = bytes([60, 0]) + bytes(6)
    destination = bytes([44, 1]) + bytes(14)
    first_fragment = bytes([6, 0, 0, 1]) + bytes(4)
    frame = ethernet(ipv6(*V6, 0, hop_by_hop + destination + first_fragment + TCP))
    assert decoded(frame)[1].src_port == 1234


def test_later_fragment_of_ipv6_belongs_to_the_host_pair() -> None:
    frame = ethernet(ipv6(*V6, 44, bytes([6, 0, 0, 8]) + bytes(4) + TCP))
    assert decoded(frame)[1].protocol == 0


def test_ip_in_ip_has_outer_addresses_and_inner_ports() -> None:
    inner = ipv4("192.168.0.1", "192.168.0.2", 6, TCP)
    packet = decoded(ethernet(ipv4(CLIENT[0], SERVER[0], 4, inner)))[1]
    assert five_tuple(packet) == (pack_address(CLIENT[0]), 1234, pack_address(SERVER[0]), 80, 6)


def test_ip_in_ip_in_ip_has_the_innermost_ports() -> None:
    inner = ipv4("192.168.0.1", "192.168.0.2", 4, ipv4("172.16.0.1", "172.16.0.2", 17, udp_datagram(5, 6)))
    packet = decoded(ethernet(ipv4(CLIENT[0], SERVER[0], 4, inner)))[1]
    assert five_tuple(packet) == (pack_address(CLIENT[0]), 5, pack_address(SERVER[0]), 6, 17)


@pytest.mark.parametrize(
    "inner", [b"", bytes(10), b"\x44" + bytes(30), ipv6(*V6, 6, TCP), ipv4("1.1.1.1", "2.2.2.2", 6, TCP)[:30]]
)
def test_a_tunnel_without_a_whole_packet_belongs_to_the_host_pair(inner: bytes) -> None:
    reason, packet = decoded(ethernet(ipv4(CLIENT[0], SERVER[0], 4, inner)))
    assert (reason, packet.protocol) == (Ignored.METERED, 0)
    assert five_tuple(packet)[0] == pack_address(CLIENT[0])


@each_dialect
@pytest.mark.parametrize(
    ("protocol", "inner"), [(41, ipv6(*V6, 6, TCP)), (47, b"\0\0\x08\0" + ipv4("1.1.1.1", "2.2.2.2", 6, TCP))]
)
def test_other_tunnels_belong_to_the_host_pair(dialect: str, protocol: int, inner: bytes) -> None:
    packet = decoded(ethernet(ipv4(CLIENT[0], SERVER[0], protocol, inner)), dialect=dialect)[1]
    assert (packet.protocol, packet.src_port, packet.payload, packet.header) == (0, 0, 0, 0)


@each_dialect
@pytest.mark.parametrize("protocol", [4, 41])
def test_tunnels_in_ipv6_belong_to_the_host_pair(dialect: str, protocol: int) -> None:
    inner = ipv4("1.1.1.1", "2.2.2.2", 6, TCP) if protocol == 4 else ipv6(*V6, 6, TCP)
    packet = decoded(ethernet(ipv6(*V6, protocol, inner)), dialect=dialect)[1]
    assert five_tuple(packet) == (pack_address(V6[0]), 0, pack_address(V6[1]), 0, 0)


@each_dialect
@pytest.mark.parametrize("version", [4, 6])
def test_every_dialect_decodes_tcp_and_udp_over_both_versions(dialect: str, version: int) -> None:
    ends, make = ((CLIENT[0], SERVER[0]), ipv4) if version == 4 else (V6, ipv6)
    segment = decoded(ethernet(make(*ends, 6, TCP), tags=[0x88A8, 0x8100]), dialect=dialect)[1]
    assert five_tuple(segment) == (pack_address(ends[0]), 1234, pack_address(ends[1]), 80, 6)
    assert (segment.payload, segment.header, segment.tcp_flags, segment.window) == (5, 20, 24, 777)
    datagram = decoded(ethernet(make(*ends, 17, udp_datagram(5, 6, b"abc"))), dialect=dialect)[1]
    assert five_tuple(datagram) == (pack_address(ends[0]), 5, pack_address(ends[1]), 6, 17)
    no_window = -1 if dialect in ("cic-2017", "cic-2018") else 0
    assert (datagram.payload, datagram.header, datagram.window) == (3, 8, no_window)


@each_dialect
def test_later_fragments_belong_to_the_host_pair_in_every_dialect(dialect: str) -> None:
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP, fragment=0x2001, options=bytes(4)))
    assert decoded(frame, dialect=dialect)[1].protocol == 0
    first = ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP, fragment=0x2000, options=bytes(40)))
    assert decoded(first, dialect=dialect)[1].src_port == 1234


@each_dialect
def test_a_length_of_zero_hides_layer_4_from_the_old_tools(dialect: str) -> None:
    frame = bytearray(ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP)))
    frame[16:18] = b"\0\0"
    expected = 6 if dialect.startswith("improved") else 0
    assert decoded(bytes(frame), dialect=dialect)[1].protocol == expected


@each_dialect
def test_what_each_dialect_tells_apart(dialect: str) -> None:
    kept = {"improved": {1, 58}, "improved-2024": {1, 2, 58, 132}}.get(dialect, set())
    for protocol in (1, 2, 50, 51, 89, 132):
        frame = ethernet(ipv4(CLIENT[0], SERVER[0], protocol, bytes([8, 0]) + bytes(40)))
        assert decoded(frame, dialect=dialect)[1].protocol == (protocol if protocol in kept else 0)
    packet = decoded(ethernet(ipv6(*V6, 58, bytes([135, 0]) + bytes(22))), dialect=dialect)[1]
    assert packet.protocol == (58 if 58 in kept else 0)
    assert packet.icmp_type == (135 if 58 in kept else -1)


def test_authentication_headers_of_ipv6_are_passed_over() -> None:
    authentication = bytes([17, 4]) + bytes(22)
    packet = decoded(ethernet(ipv6(*V6, 51, authentication + udp_datagram(5, 6, b"abc"))))[1]
    assert (packet.protocol, packet.src_port, packet.payload) == (17, 5, 3)


def test_extension_headers_that_do_not_end_belong_to_the_host_pair() -> None:
    packet = decoded(ethernet(ipv6(*V6, 0, bytes([0, 0]) + bytes(6) + bytes([60, 255]) + bytes(6))))[1]
    assert (packet.protocol, packet.src_port) == (0, 0)


def test_a_jumbo_length_of_zero_means_all_that_was_captured() -> None:
    frame = bytearray(ethernet(ipv6(*V6, 6, TCP)))
    frame[18:20] = b"\0\0"
    assert decoded(bytes(frame))[1].payload == 5


@pytest.mark.parametrize("protocol", [2, 41, 47, 50, 132])
def test_other_protocols_belong_to_the_host_pair(protocol: int) -> None:
    reason, packet = decoded(ethernet(ipv4(CLIENT[0], SERVER[0], protocol, bytes(40))))
    assert reason == Ignored.METERED
    assert packet.protocol == 0


def test_icmp_has_type_and_code_and_no_length() -> None:
    packet = decoded(ethernet(ipv4(CLIENT[0], SERVER[0], 1, bytes([3, 1]) + bytes(40))))[1]
    assert (packet.protocol, packet.icmp_type, packet.icmp_code, packet.payload) == (1, 3, 1, 0)


def test_dialects_without_icmp_take_an_error_for_the_packet_it_quotes() -> None:
    quoted = ipv4(SERVER[0], CLIENT[0], 6, TCP)
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 1, bytes([3, 3]) + bytes(6) + quoted))
    packet = decoded(frame, dialect="cic-2018")[1]
    assert five_tuple(packet) == (pack_address(CLIENT[0]), 1234, pack_address(SERVER[0]), 80, 6)
    assert decoded(frame)[1].protocol == 1
    echo = ethernet(ipv4(CLIENT[0], SERVER[0], 1, bytes([8, 0]) + bytes(40)))
    assert decoded(echo, dialect="cic-v4")[1].protocol == 0


def test_improved_2024_knows_igmp_and_sctp() -> None:
    sctp = ethernet(ipv4(CLIENT[0], SERVER[0], 132, bytes([0, 7, 0, 8]) + bytes(24)))
    packet = decoded(sctp, dialect="improved-2024")[1]
    assert (packet.protocol, packet.src_port, packet.dst_port, packet.payload) == (132, 7, 8, 16)
    igmp = ethernet(ipv4(CLIENT[0], "224.0.0.22", 2, bytes(8)))
    assert decoded(igmp, dialect="improved-2024")[1].protocol == 2


def test_cic_2017_counts_padding() -> None:
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 6, tcp_segment(1, 2))) + bytes(6)
    assert decoded(frame, dialect="cic-2017")[1].payload == 6


@pytest.mark.parametrize(
    ("frame", "link", "reason"),
    [
        (ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP)), 105, Ignored.LINK_TYPE),
        (bytes(12) + b"\x08\x06" + bytes(28), 1, Ignored.ARP),
        (bytes(12) + b"\x88\xcc" + bytes(28), 1, Ignored.NOT_IP),
        (bytes(12) + b"\x88\x63" + bytes(28), 1, Ignored.PPPOE),
        (bytes(12) + b"\x88\x64\x11" + bytes(28), 1, Ignored.PPPOE),
        (bytes(12) + b"\x88\x47" + bytes(28), 1, Ignored.MPLS),
        (bytes(12) + b"\x81\x00\x00\x07\x88\x48" + bytes(28), 1, Ignored.MPLS),
        (bytes(12) + b"\x00\x26\x42\x42\x03" + bytes(35), 1, Ignored.LLC),
        (bytes(12) + b"\x05\xdc" + bytes(35), 1, Ignored.LLC),
        (bytes(12) + b"\x81\x00\x00\x07\x08\x06" + bytes(28), 1, Ignored.ARP),
        (bytes(14) + b"\x00\x04" + bytes(40), 113, Ignored.LLC),
        (b"\x08\x06" + bytes(58), 276, Ignored.ARP),
        (bytes(10), 1, Ignored.TRUNCATED),
        (bytes(12) + b"\x81\x00\x00", 1, Ignored.TRUNCATED),
        (ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP))[:30], 1, Ignored.TRUNCATED),
        (bytes(12) + b"\x08\x00\x44" + bytes(40), 1, Ignored.MALFORMED),
        (bytes(12) + b"\x08\x00\x65" + bytes(40), 1, Ignored.MALFORMED),
        (bytes(12) + b"\x86\xdd\x45" + bytes(60), 1, Ignored.MALFORMED),
        (bytes(12) + b"\x86\xdd\x60" + bytes(20), 1, Ignored.TRUNCATED),
    ],
)
def test_what_is_ignored_and_why(frame: bytes, link: int, reason: Ignored) -> None:
    assert decoded(frame, link)[0] == reason


def test_the_reasons_are_documented() -> None:
    table = (Path(__file__).parents[2] / "docs" / "protocols.md").read_text()
    reasons = [reason.name.lower() for reason in Ignored if reason is not Ignored.METERED]
    assert [reason for reason in reasons if f"| `{reason}` |" not in table] == []


def test_a_cut_tcp_header_leaves_the_host_pair() -> None:
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 6, TCP))
    reason, packet = decoded(frame, captured=14 + 20 + 12)
    assert reason == Ignored.METERED
    assert packet.protocol == 0


def test_snaplen_cuts_the_payload() -> None:
    frame = ethernet(ipv4(CLIENT[0], SERVER[0], 6, tcp_segment(1, 2, "PA", bytes(600))))
    assert decoded(frame, captured=14 + 20 + 20 + 46)[1].payload == 46


@given(
    st.binary(max_size=120),
    st.sampled_from([0, 1, 12, 14, 101, 108, 113, 228, 229, 276, 105, 999]),
    st.sampled_from([b"", bytes(12) + b"\x08\x00\x45", bytes(12) + b"\x86\xdd\x60", bytes(12) + b"\x81\x00"]),
    st.binary(min_size=64, max_size=64),
    st.sampled_from(sorted(RULES)),
)
def test_no_byte_outside_a_packet_changes_what_is_decoded(
    content: bytes, link: int, head: bytes, outside: bytes, dialect: str
) -> None:
    frame = head + content
    results = []
    for around in (bytes(64), outside):
        packets = records(1, PACKET)
        block = np.frombuffer(around + frame + around, np.uint8).copy()
        reason = _decode(block, 64, len(frame), link, packets, RULES[dialect])
        results.append((Ignored(reason), packets[0] if reason == 0 else None))
    assert results[0] == results[1]
