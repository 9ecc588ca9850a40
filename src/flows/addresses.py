"""Addresses as the flow table keeps them: 16 bytes, IPv4 mapped, all zero when unknown."""

from __future__ import annotations

import ipaddress
from typing import Final

MAPPED_PREFIX: Final = bytes(10) + b"\xff\xff"
UNKNOWN: Final = bytes(16)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def pack_address(text: str) -> bytes:
    """Return the 16 bytes of an address; IPv4 is mapped into IPv6.

    Raises:
        ValueError: `text` is neither an IPv4 nor an IPv6 address.
    """
    address = ipaddress.ip_address(text.strip())
    return MAPPED_PREFIX + address.packed if address.version == 4 else address.packed


def address_text(packed: bytes) -> str | None:
    """Return the usual text of 16 bytes, or None for the unknown address."""
    if packed == UNKNOWN:
        return None
    if packed.startswith(MAPPED_PREFIX):
        return str(ipaddress.IPv4Address(packed[12:]))
    return str(ipaddress.IPv6Address(packed))


def parse_network(value: object) -> Network:
    """Return the network that a text names; an address is a network of its own.

    Raises:
        ValueError: it names none, or has bits beyond its prefix.
    """
    try:
        return ipaddress.ip_network(str(value).strip())
    except ValueError as error:
        raise ValueError(f"{error}; write an address or a network such as 10.0.0.0/8") from None


def address_range(network: Network) -> tuple[bytes, bytes]:
    """Return the first and the last address of a network, packed as `pack_address` does."""
    prefix = MAPPED_PREFIX if network.version == 4 else b""
    return prefix + network.network_address.packed, prefix + network.broadcast_address.packed
