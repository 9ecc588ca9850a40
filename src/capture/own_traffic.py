"""The sensor's own connections, left out of what it captures.

Without this every verdict sent to a cloud service would be a flow that causes the next verdict. Only TCP
between this host and the very address and port of a service is left out.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from capture.options import OwnService
from capture.packet_filter import RETURN, Instruction

logger = logging.getLogger(__name__)

Address = IPv4Address | IPv6Address

_WORD, _HALF, _BYTE, _LENGTH = 0x20, 0x28, 0x30, 0x80
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ETHERTYPE: Final = 0xFFFFF000
"""Where the kernel's programs load the packet's EtherType from, whatever the link."""
_IPV4: Final = 0x0800
_IPV6: Final = 0x86DD
_TCP: Final = 6
_NO_OPTIONS: Final = 0x45
_IPV4_HEADER: Final = 20
_IPV6_HEADER: Final = 40
_TCP_HEADER: Final = 20

Test = tuple[int, int, int, int]
"""Load code, offset, jump code, value."""


@dataclass(frozen=True, slots=True)
class OwnConnection:
    """TCP with one port of a service, between two addresses or, without them, any."""

    name: str
    port: int
    addresses: tuple[Address, Address] | None = None
    """This host's and the service's."""

    def __str__(self) -> str:
        if self.addresses is None:
            return f"TCP port {self.port} on this interface ({self.name})"
        own, service = self.addresses
        return f"TCP between {own} and port {self.port} of {service} ({self.name})"


def own_connections(services: Iterable[OwnService], *, loopback: bool) -> tuple[OwnConnection, ...]:
    """Resolve services to what is left out on an interface; one whose name is unknown is logged."""
    found: list[OwnConnection] = []
    for service in services:
        if service.host is None:
            if loopback:
                found.append(OwnConnection(service.name, service.port))
            continue
        try:
            found += _connections(service.name, service.host, service.port)
        except OSError as error:
            logger.warning("%s: own traffic with %s is captured: %s", service.name, service.host, error)
    return tuple(dict.fromkeys(found))


def _connections(name: str, host: str, port: int) -> Iterator[OwnConnection]:
    for family, kind, protocol, _, where in socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM):
        with socket.socket(family, kind, protocol) as probe:
            try:
                # Sends nothing: the kernel only chooses the address that this host would use.
                probe.connect(where)
            except OSError:
                continue
            own = ip_address(str(probe.getsockname()[0]).partition("%")[0])
        service = ip_address(str(where[0]).partition("%")[0])
        yield OwnConnection(name, port, (own, service))


def exclusions(connections: Iterable[OwnConnection], link_header: int) -> list[Instruction]:
    """Return the start of a program that refuses the connections' packets and goes on for all others.

    Args:
        connections: what is left out.
        link_header: bytes before the network header.
    """
    program: list[Instruction] = []
    for connection in connections:
        for tests in _directions(connection, link_header):
            for number, (load, offset, jump, value) in enumerate(tests):
                to_the_next = 2 * (len(tests) - number) - 1
                program.append((load, 0, 0, offset))
                program.append((jump, 0, to_the_next, value))
            program.append((RETURN, 0, 0, 0))
    return program


def _directions(connection: OwnConnection, link_header: int) -> Iterator[list[Test]]:
    port = connection.port
    if connection.addresses is None:
        for version in (4, 6):
            for offset in (0, 2):
                yield [*_segment(version, link_header, b""), _port(version, link_header, offset, port)]
    else:
        own, service = connection.addresses
        version = own.version
        for between, offset in ((own.packed + service.packed, 2), (service.packed + own.packed, 0)):
            yield [*_segment(version, link_header, between), _port(version, link_header, offset, port)]


def _segment(version: int, link_header: int, between: bytes) -> list[Test]:
    """Tests for a TCP segment between a source and a destination, given as they stand in the header."""
    header, kind = (_IPV4_HEADER, _IPV4) if version == 4 else (_IPV6_HEADER, _IPV6)
    # A load beyond the packet's end would refuse the packet.
    tests = [(_LENGTH, 0, _AT_LEAST, link_header + header + _TCP_HEADER), (_HALF, _ETHERTYPE, _EQUAL, kind)]
    if version == 4:
        tests.append((_BYTE, link_header, _EQUAL, _NO_OPTIONS))
        tests.append((_BYTE, link_header + 9, _EQUAL, _TCP))
    else:
        tests.append((_BYTE, link_header + 6, _EQUAL, _TCP))
    addresses = link_header + (12 if version == 4 else 8)
    for at in range(0, len(between), 4):
        tests.append((_WORD, addresses + at, _EQUAL, int.from_bytes(between[at : at + 4], "big")))
    return tests


def _port(version: int, link_header: int, offset: int, port: int) -> Test:
    header = _IPV4_HEADER if version == 4 else _IPV6_HEADER
    return _HALF, link_header + header + offset, _EQUAL, port
