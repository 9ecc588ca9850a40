"""Network interfaces: which one to watch, whether we may, and what its packets look like."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from capture.decode import LINK_ETHERNET, LINK_RAW

_ARPHRD_LINKS: Final = {1: LINK_ETHERNET, 772: LINK_ETHERNET, 65534: LINK_RAW, 519: LINK_RAW}
"""Hardware types of Ethernet, loopback, tun and raw IP devices."""

_ROUTES_V4: Final = Path("/proc/net/route")
_ROUTES_V6: Final = Path("/proc/net/ipv6_route")
_FLAG_UP: Final = 1


def default_interface() -> str | None:
    """Return the interface of the default route with the lowest metric, None without one."""
    routes: list[tuple[int, str]] = []
    if _ROUTES_V4.exists():
        for line in _ROUTES_V4.read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1], 16) == 0 and int(fields[7], 16) == 0 and int(fields[3], 16) & _FLAG_UP:
                routes.append((int(fields[6]), fields[0]))
    if not routes and _ROUTES_V6.exists():
        for line in _ROUTES_V6.read_text().splitlines():
            fields = line.split()
            everywhere = int(fields[0], 16) == 0 and int(fields[1], 16) == 0
            if everywhere and fields[9] != "lo" and int(fields[8], 16) & _FLAG_UP:
                routes.append((int(fields[5], 16), fields[9]))
    return min(routes)[1] if routes else None


def may_capture() -> bool:
    """Whether this process may open a packet socket (root, or CAP_NET_RAW)."""
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0):
            return True
    except PermissionError:
        return False


def check_interface(name: str) -> None:
    """Check that an interface is there.

    Raises:
        ValueError: it is not; the message lists those that are.
    """
    there = sorted(interface for _, interface in socket.if_nameindex())
    if name not in there:
        raise ValueError(f"CIC_INTERFACE: no interface {name!r} here; there are {', '.join(there)}")


def link_type(name: str, hardware_type: int) -> int:
    """Return the link type of an interface's packets.

    Raises:
        ValueError: packets of this hardware type cannot be decoded.
    """
    try:
        return _ARPHRD_LINKS[hardware_type]
    except KeyError:
        raise ValueError(
            f"CIC_INTERFACE: {name} has hardware type {hardware_type}, which cannot be decoded;"
            " choose an Ethernet, loopback or tun interface"
        ) from None
