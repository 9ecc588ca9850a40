from __future__ import annotations

import logging
from ipaddress import ip_address

import pytest

from capture.options import OwnService
from capture.own_traffic import OwnConnection, exclusions, own_connections
from capture.packet_filter import Instruction
from helpers.packets import Packet, ethernet, ipv4, tcp, udp

ETHERNET = 14
LENGTH, ETHERTYPE = 0x80, 0xFFFFF000
WIDTHS = {0x20: 4, 0x28: 2, 0x30: 1}


def takes(program: list[Instruction], frame: bytes) -> bool:
    """Run a program as the kernel does; past its end the packet is taken."""
    loaded, at = 0, 0
    while at < len(program):
        code, if_true, if_false, operand = program[at]
        if code == 0x06:
            return operand > 0
        if code == LENGTH:
            loaded = len(frame)
        elif operand == ETHERTYPE and code in WIDTHS:
            loaded = int.from_bytes(frame[12:14], "big")
        elif code in WIDTHS:
            part = frame[operand : operand + WIDTHS[code]]
            assert len(part) == WIDTHS[code], "the kernel refuses a packet that is too short for a load"
            loaded = int.from_bytes(part, "big")
        else:
            holds = loaded == operand if code == 0x15 else loaded >= operand
            at += if_true if holds else if_false
        at += 1
    return True


OWN, SERVICE, OTHER = "10.0.0.1", "10.0.0.9", "10.0.0.3"
OWN6, SERVICE6 = "2001:db8::1", "2001:db8::9"
CONNECTIONS = (
    OwnConnection("A", 5000, (ip_address(OWN), ip_address(SERVICE))),
    OwnConnection("B", 443, (ip_address(OWN6), ip_address(SERVICE6))),
)


@pytest.mark.parametrize(
    ("packet", "taken"),
    [
        (tcp(0, src=(OWN, 1), dst=(SERVICE, 5000)), False),
        (tcp(0, src=(SERVICE, 5000), dst=(OWN, 1)), False),
        (tcp(0, src=(OWN6, 1), dst=(SERVICE6, 443)), False),
        (tcp(0, src=(SERVICE6, 443), dst=(OWN6, 1)), False),
        (tcp(0, src=(SERVICE, 1), dst=(OWN, 5000)), True),
        (tcp(0, src=(OWN, 5000), dst=(SERVICE, 1)), True),
        (tcp(0, src=(OTHER, 1), dst=(SERVICE, 5000)), True),
        (tcp(0, src=(SERVICE6, 443), dst=("2001:db8::2", 1)), True),
        (udp(0, src=(OWN, 1), dst=(SERVICE, 5000)), True),
        (Packet(0, ethernet(ipv4(OWN, SERVICE, 6, b"\0\1\x13\x88"))), True),
        (Packet(0, bytes(12) + b"\x08\x00"), True),
        (Packet(0, bytes(12) + b"\x08\x06" + bytes(46)), True),
    ],
)
def test_only_the_very_connection_is_left_out(packet: Packet, taken: bool) -> None:
    assert takes(exclusions(CONNECTIONS, ETHERNET), packet.frame) is taken


@pytest.mark.parametrize("address", [("127.0.0.1", "127.0.0.1"), ("::1", "::1")])
def test_on_loopback_the_port_is_enough(address: tuple[str, str]) -> None:
    program = exclusions([OwnConnection("PORT", 8000)], ETHERNET)
    source, destination = address
    assert not takes(program, tcp(0, src=(source, 1), dst=(destination, 8000)).frame)
    assert not takes(program, tcp(0, src=(source, 8000), dst=(destination, 1)).frame)
    assert takes(program, tcp(0, src=(source, 8001), dst=(destination, 1)).frame)


def test_nothing_to_leave_out() -> None:
    assert exclusions([], ETHERNET) == []


def test_the_api_is_left_out_on_loopback_only() -> None:
    api = OwnService("PORT", 8000)
    assert own_connections([api], loopback=False) == ()
    assert own_connections([api], loopback=True) == (OwnConnection("PORT", 8000),)


def test_a_service_is_resolved_with_the_address_this_host_uses_for_it() -> None:
    (connection,) = own_connections([OwnService("S3", 9000, "127.0.0.1")], loopback=False)
    assert str(connection) == "TCP between 127.0.0.1 and port 9000 of 127.0.0.1 (S3)"


def test_a_name_that_is_not_known_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert own_connections([OwnService("S3", 9000, "no-such-host.invalid")], loopback=False) == ()
    assert "S3: own traffic with no-such-host.invalid is captured" in caplog.text
