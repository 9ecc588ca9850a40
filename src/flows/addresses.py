"""Addresses as the flow table keeps them: 16 bytes, IPv4 mapped, all zero when unknown."""

from __future__ import annotations

import ipaddress
from typing import Final

MAPPED_PREFIX: Final = bytes(10) + b"\xff\xff"
UNKNOWN: Final = bytes(16)


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
